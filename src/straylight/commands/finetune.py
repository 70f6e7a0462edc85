"""`straylight finetune`."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from straylight.cohort import load_cohort
from straylight.errors import InputError
from straylight.finetune import finetune
from straylight.progress import progress
from straylight.reading import Reading
from straylight.recipe import PRETRAINED, Flips, Recipe
from straylight.settings import parse_settings
from straylight.tensors import Shape
from straylight.terminal import print_json


@dataclass(frozen=True, kw_only=True)
class FinetuneCommand:
    """Train a medical classifier by transfer learning.

    For example:
      straylight finetune --data skin/train.csv --backbone mobilenetv2_100
        --size 128 --epochs 8 --out models/skin
    """

    data: str
    """Training images: class folders (or a .zip or .tar of them), a manifest (.csv or .parquet:
    file,label), .npz, X_NAME.npy, medmnist:NAME@SIZE:train, or hf:NAME_OR_FOLDER:SPLIT. Files may be
    DICOM."""
    backbone: str
    """A timm model name, such as mobilenetv2_100, or torchvision:NAME, such as torchvision:vgg16."""
    out: Path
    """Folder for model.safetensors and model.json; an interrupted training there goes on."""
    weights: str = PRETRAINED
    """A .safetensors file, 'pretrained' (its library downloads them), or 'none' (random initialisation)."""
    backbone_arg: tuple[str, ...] = ()
    """Arguments for the backbone, as NAME=VALUE, such as pad_type=same."""
    reading: str = ""
    """How the images are read: file=COLUMN,label=COLUMN of a manifest or hf:, root=FOLDER of a
    manifest, and window=CENTRE/WIDTH,frame=K of DICOM."""
    size: int = 224
    """Side of the images in pixels."""
    grey: bool = False
    """Train on one grey channel instead of RGB."""
    epochs: int = 8
    """Passes over the training images."""
    learning_rate: float = 0.02
    """Peak of the one-cycle learning rate."""
    batch_size: int = 32
    """Images in a step."""
    flips: Flips = "horizontal"
    """Mirror the training images: left-right, and with 'both' upside down as well."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """What the backbone subtracts from images in [0, 1], for red, green and blue."""
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """What the backbone divides by."""
    seed: int = 0
    """Same seed and threads: same model."""
    json: bool = False
    """Print the model card as JSON."""

    def run(self, out: Console, err: Console) -> None:
        recipe = Recipe(
            backbone=self.backbone,
            backbone_args=parse_arguments(self.backbone_arg),
            weights=self.weights,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            flips=self.flips,
            mean=self.mean,
            std=self.std,
            seed=self.seed,
        )
        if self.size < 1:
            raise InputError(f"--size must be at least 1 pixel, not {self.size}.")
        shape: Shape = (1 if self.grey else 3, self.size, self.size)
        data = load_cohort(
            self.data, shape, reading=parse_settings(Reading, "reading", self.reading)
        )
        with progress(err) as tracker:
            classifier = finetune(data, recipe, self.out, tracker)
        if self.json:
            print_json(out, classifier.card)
            return
        history = classifier.card["training"]["history"]
        best = max(entry["validation_accuracy"] for entry in history)
        out.print(f"{self.out}: accuracy on held-out training images {100 * best:.1f} %")
        out.print(
            f"Next: straylight audit --model {self.out} --natural PHOTOS --cohort TEST --zeta 0.02",
            soft_wrap=True,
        )


def parse_arguments(pairs: tuple[str, ...]) -> dict[str, object]:
    """Turn NAME=VALUE texts into keyword arguments; values are read as JSON where they can be."""
    arguments: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise InputError(f"--backbone-arg {pair!r} must be NAME=VALUE, such as pad_type=same.")
        try:
            arguments[name] = json.loads(value)
        except json.JSONDecodeError:
            arguments[name] = value
    return arguments
