"""Train the small backbone of the offline demonstration on photographs in class folders.

Writes the weights without the classification head as float16 safetensors, and a JSON file beside
them that says how to rebuild the network and how it was made. Needs `torch`, `timm`, `pillow`,
`safetensors` and `tqdm`; runs on a CPU. The same seed, libraries and number of threads give the
same weights.

Example:
    python scripts/train_backbone.py --data photographs/ --described "200 classes x 100, 64x64"
"""

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

ARCHITECTURE = "resnet10t"
ARGUMENTS: dict[str, Any] = {"channels": [48, 80, 128, 184], "stem_width": 16, "output_stride": 16}
MEAN = STD = (0.5, 0.5, 0.5)
HELD_OUT = 0.05
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


def read_folders(root: Path, size: int) -> tuple[Tensor, Tensor, int]:
    """Decode every photograph below the class folders of `root`, centre-cropped to a square.

    Returns:
        Images of shape (N, 3, size, size) in 0..255 (uint8), labels (N,), number of classes.
    """
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir())
    files = [
        (path, label)
        for label, folder in enumerate(folders)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not files:
        raise ValueError(f"no photographs in class folders below {root}")
    images = np.empty((len(files), size, size, 3), np.uint8)
    for row, (path, _) in enumerate(tqdm(files, desc="decode", unit="image")):
        with Image.open(path) as image:
            images[row] = np.asarray(ImageOps.fit(image.convert("RGB"), (size, size)))
    labels = torch.tensor([label for _, label in files])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), labels, len(folders)


def normalise(images: Tensor) -> Tensor:
    """Map uint8 images to the network's input range, -1 to 1."""
    inputs = images.float().div(255).sub(MEAN[0]).div(STD[0])
    return inputs.contiguous(memory_format=torch.channels_last)


def augment(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """Flip each image or not, and cut out a random window of 60 to 100 % of its width."""
    n = len(inputs)
    draws = torch.rand(5, n, generator=generator)
    scale = 0.6 + 0.4 * draws[0]
    stretch = torch.exp((draws[1] - 0.5) * 0.3)
    width, height = (scale * stretch).clamp(max=1), (scale / stretch).clamp(max=1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = torch.where(draws[2] < 0.5, -width, width)
    theta[:, 1, 1] = height
    theta[:, :, 2] = (draws[3:].T * 2 - 1) * (1 - torch.stack([width, height], dim=1))
    grid = F.affine_grid(theta, list(inputs.shape), align_corners=False)
    return F.grid_sample(inputs, grid, padding_mode="reflection", align_corners=False)


def shuffled(rows: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield `rows` in random order, `size` at a time; an incomplete last batch is left out."""
    order = rows[torch.randperm(len(rows), generator=generator)]
    yield from order[: len(order) // size * size].split(size)


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of `images` whose most likely class is the label."""
    model.eval()
    batches = zip(images.split(256), labels.split(256), strict=True)
    hits = sum(int((model(normalise(x)).argmax(1) == y).sum()) for x, y in batches)
    return hits / len(labels)


def train(
    images: Tensor, labels: Tensor, classes: int, args: argparse.Namespace
) -> tuple[nn.Module, float]:
    """Train from random initialisation: SGD, one cycle, label smoothing.

    Returns:
        The trained model and its accuracy on the photographs held out.
    """
    generator = torch.Generator().manual_seed(args.seed)
    torch.manual_seed(args.seed)
    order = torch.randperm(len(labels), generator=generator)
    held_out, rows = order.split([n := math.ceil(HELD_OUT * len(order)), len(order) - n])
    model = timm.create_model(ARCHITECTURE, num_classes=classes, **ARGUMENTS)
    model = model.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(
        model.parameters(), args.lr, momentum=0.9, weight_decay=args.weight_decay, nesterov=True
    )
    steps = args.epochs * (len(rows) // args.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.lr, total_steps=steps)
    for epoch in range(args.epochs):
        model.train()
        batches = shuffled(rows, args.batch_size, generator)
        progress = tqdm(batches, f"epoch {epoch + 1}", len(rows) // args.batch_size)
        for batch in progress:
            logits = model(augment(normalise(images[batch]), generator))
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            progress.set_postfix(loss=f"{float(loss):.2f}", refresh=False)
        rate = accuracy(model, images[held_out], labels[held_out])
        tqdm.write(f"epoch {epoch + 1}: validation accuracy {rate:.3f}")
    return model, rate


def write(model: nn.Module, rate: float, args: argparse.Namespace) -> None:
    """Write the weights without the head, and the JSON description beside them."""
    model.reset_classifier(0)  # type: ignore[operator]
    weights = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in model.state_dict().items()
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, args.output)
    command = ["DATA" if word == str(args.data) else word for word in sys.argv[1:]]
    description = {
        "architecture": ARCHITECTURE,
        "arguments": ARGUMENTS,
        "mean": MEAN,
        "std": STD,
        "size": args.size,
        "validation_accuracy": rate,
        "trained_on": args.described,
        "command": " ".join(["python scripts/train_backbone.py", *map(quoted, command)]),
        "sha256": hashlib.sha256(args.output.read_bytes()).hexdigest(),
    }
    args.output.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")


def quoted(word: str) -> str:
    """Put double quotes around an argument that holds a space."""
    return f'"{word}"' if " " in word else word


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--described", default="", help="what the photographs are, in words")
    parser.add_argument("--output", type=Path, default=Path("backbone.safetensors"))
    parser.add_argument("--size", type=int, default=64, help="pixels per side")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.1, help="peak of the one-cycle schedule")
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Train, write, report."""
    args = parse()
    images, labels, classes = read_folders(args.data, args.size)
    model, rate = train(images, labels, classes, args)
    write(model, rate, args)
    size = args.output.stat().st_size / 1e6
    print(f"validation accuracy {rate:.4f}, {args.output}: {size:.2f} MB")


if __name__ == "__main__":
    main()
