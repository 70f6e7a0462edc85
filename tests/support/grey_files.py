"""Grey images of 12 bits in files of many kinds, and their cohorts."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading

MONO_SIDE = 32
MONO_SHAPE = (1, MONO_SIDE, MONO_SIDE)
MONO_VALUES = (
    np.add.outer(np.arange(MONO_SIDE), np.arange(MONO_SIDE)).astype(np.uint16) * 64
)  # 0..3968
MONO_SPAN = np.round(255 * (MONO_VALUES / MONO_VALUES.max())).astype(np.uint8)
FULL = {"BitsStored": 12, "HighBit": 11}


def load_grey_files(
    root: Path, files: dict[str, bytes], *, window: str = "", frame: int = -1
) -> Cohort:
    """Load files of one class, in the order of their names."""
    (root / "A").mkdir()
    for name, data in files.items():
        (root / "A" / name).write_bytes(data)
    return load_cohort(root, MONO_SHAPE, ("A",), reading=Reading(window=window, frame=frame))


def grey_pixels(found: Cohort) -> NDArray[np.uint8]:
    return found.images.pixels[:, 0].numpy()


def encode_image(image: Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()
