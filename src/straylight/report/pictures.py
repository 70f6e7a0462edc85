"""Pictures of the page: stored images and perturbations, read, checked and encoded as PNG data URIs."""

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.core import array_files
from straylight.core.array_files import read_array
from straylight.core.conventions import LEVELS, Shape
from straylight.core.errors import InputError, quote_text, reason_of

MIN_SIDE = 128
# As in `core.tensors`, in NumPy: a report is drawn without loading torch.
PixelArray = NDArray[np.uint8]  # stored images: (N, C, H, W)
ImageArray = NDArray[np.float32]  # images in [0, 1], or a perturbation: (N, C, H, W)


@dataclass(frozen=True)
class Picture:
    """A PNG image of the page as a data URI, with its description."""

    src: str
    alt: str
    width: int
    height: int


def model_shape(audit: Audit) -> Shape:
    """Return channels, height and width of the model's images."""
    return audit.model.channels, audit.model.height, audit.model.width


def read_stored_images(path: Path, shape: Shape, sha256: str = "") -> PixelArray:
    """Read stored images, uint8 (N, C, H, W).

    Raises:
        InputError: If the file is missing or broken, has another digest, or holds something else.
    """
    try:
        array = read_array(path, sha256=sha256)
    except (OSError, ValueError, MemoryError) as error:
        raise InputError(
            f"{path} cannot be read as images ({reason_of(error)}): run the audit again."
        ) from error
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != shape:
        raise InputError(
            f"{path} holds {quote_text(array.dtype)} {quote_text(array.shape)}, not uint8 images of "
            f"shape {shape}: run the audit again."
        )
    return array.astype(np.uint8, copy=False)


def load_perturbation(item: Perturbation, folder: Path, shape: Shape) -> ImageArray:
    """Read a perturbation, and check that it fits the model and the audit.

    Raises:
        InputError: If it is missing or broken, has another shape or norm, or is not finite.
    """
    delta = array_files.read_perturbation(folder / item.file, item.sha256)
    if delta.shape[1:] != shape or not np.isfinite(delta).all():
        raise InputError(
            f"{folder / item.file} is not a finite perturbation of shape {shape}: "
            "run the audit again."
        )
    for name, recorded, size in (
        ("l2", item.l2, float(np.linalg.norm(delta))),
        ("linf", item.linf, float(np.abs(delta).max())),
    ):
        if not math.isclose(recorded, size, rel_tol=1e-3, abs_tol=1e-6):
            raise InputError(
                f"{folder / item.file} has the {name} norm {size:.6g}, but the audit recorded "
                f"{recorded:.6g}: run the audit again."
            )
    return delta


def choose_amplification(delta: ImageArray) -> int:
    """Return the largest of 1, 2, 5, 10, 20 ... that keeps 99 % of the entries on the grey scale.

    >>> choose_amplification(np.full((1, 1, 8, 8), 0.02, np.float32))
    20
    >>> choose_amplification(np.zeros((1, 1, 8, 8), np.float32))
    1
    """
    size = float(np.quantile(np.abs(delta), 0.99))
    factors: list[int] = [step * 10**power for power in range(4) for step in (1, 2, 5)]
    return max([1] + [factor for factor in factors if size and factor * size <= 0.5])


def draw_perturbation(delta: ImageArray, factor: int, alt: str) -> Picture:
    """Draw a perturbation `factor` times as strong, around mid-grey."""
    return _encode_picture(delta * factor + 0.5, alt)


def draw_attacked_image(image: ImageArray, delta: ImageArray, alt: str) -> Picture:
    """Draw an image with a perturbation, clipped and rounded as the system receives it."""
    return _encode_picture(image + delta, alt)


def draw_stored_image(pixels: PixelArray, alt: str) -> Picture:
    """Draw a stored image."""
    return _encode_picture(pixels_to_images(pixels), alt)


def pixels_to_images(pixels: PixelArray) -> ImageArray:
    """Convert stored uint8 pixels to images in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(LEVELS)


def _encode_picture(image: ImageArray, alt: str) -> Picture:
    """Encode one image in [0, 1] as PNG; small images are enlarged by a whole factor."""
    levels = np.rint(image[0].clip(0, 1) * LEVELS).astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0).copy())
    factor = -(-MIN_SIDE // min(picture.size)) if min(picture.size) < MIN_SIDE else 1
    width, height = picture.width * factor, picture.height * factor
    stream = io.BytesIO()
    picture.resize((width, height), Image.Resampling.NEAREST).save(stream, "PNG")
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(f"data:image/png;base64,{encoded}", alt, width, height)
