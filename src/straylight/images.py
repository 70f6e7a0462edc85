"""A set of images, decoded once and kept as uint8; and the reader of image files."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from straylight.ball import Norm, image_norms
from straylight.errors import InputError
from straylight.tensors import Images, Pixels, Shape, from_pixels

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
RGB = 3


@dataclass(frozen=True)
class Skipped:
    """A file that could not be read, and why."""

    file: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one shape.

    Attributes:
        pixels: uint8, (N, C, H, W).
        spec: Where they came from, as the user wrote it.
        skipped: Files left out because they could not be read.
    """

    pixels: Pixels
    spec: str
    skipped: tuple[Skipped, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> Shape:
        """Channels, height, width."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    @cached_property
    def sha256(self) -> str:
        """Digest of the decoded pixels and their shape: the same for the same images in any container."""
        digest = hashlib.sha256(str(tuple(self.pixels.shape)).encode())
        digest.update(self.pixels.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def digests(self) -> set[str]:
        """Digest of the decoded pixels of each image."""
        return {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in self.pixels}

    def images(self, index: torch.Tensor | slice) -> Images:
        """Return the images at `index` as float32 in [0, 1]."""
        return from_pixels(self.pixels[index])

    def batches(self, batch_size: int) -> Iterator[Images]:
        """Yield all images in order."""
        for start in range(0, len(self), batch_size):
            yield self.images(slice(start, start + batch_size))

    def mean_norm(self, norm: Norm) -> float:
        """Mean norm of an image in [0, 1], over all channels and pixels."""
        norms = [image_norms(batch, norm).double() for batch in self.batches(256)]
        return float(torch.cat(norms).mean())


def mode_of(channels: int) -> str:
    """Pillow's name for a number of channels: grey or RGB."""
    return "RGB" if channels == RGB else "L"


def fit(image: Image.Image, shape: Shape) -> NDArray[np.uint8]:
    """Convert to grey or RGB and resize (plain, no crop, antialiased) to (C, H, W) uint8."""
    channels, height, width = shape
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    converted = ImageOps.exif_transpose(image).convert(mode_of(channels))
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(converted, dtype=np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def read_file(path: Path, shape: Shape) -> NDArray[np.uint8]:
    """Decode one image file to (C, H, W) uint8.

    Raises:
        OSError, ValueError: If Pillow cannot read it, or it claims too many pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module="PIL", category=UserWarning)
        try:
            with Image.open(path) as image:
                return fit(image, shape)
        except (SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ValueError(str(error)) from error


def read_files(
    paths: Sequence[Path], root: Path, shape: Shape, spec: str
) -> tuple[ImageSet, list[int]]:
    """Decode files; skip, count and name those that cannot be read.

    Returns:
        The images, and for each the index of its path.

    Raises:
        InputError: If not one can be read.
    """
    decoded, kept, skipped = [], [], []
    for index, path in enumerate(paths):
        try:
            decoded.append(read_file(path, shape))
            kept.append(index)
        except (OSError, ValueError) as error:
            # Only the name inside the folder and the kind of fault: no path of the machine.
            reason = (
                str(error).replace(str(path), path.name).splitlines()[0] or type(error).__name__
            )
            skipped.append(Skipped(path.relative_to(root).as_posix(), reason))
    if not decoded:
        first = f" (first: {skipped[0].file}: {skipped[0].reason})" if skipped else ""
        raise InputError(f"none of the {len(paths)} image files of {spec} can be read{first}.")
    return ImageSet(torch.from_numpy(np.stack(decoded)), spec, tuple(skipped)), kept


def find_files(folder: Path) -> list[Path]:
    """All image files below `folder`, at any depth, sorted by their name inside it."""
    files = (
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read a `.npy` (as ``images``) or `.npz` file without ever running pickled code.

    Raises:
        InputError: If the file is missing, broken, or holds Python objects.
    """
    try:
        # Opened here, since numpy leaves a broken zip file open.
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"images": loaded}
            return {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: give an existing .npy or .npz file.") from None
    except Exception as error:
        # numpy, zipfile and zlib each raise their own kinds for a broken or hostile file.
        raise InputError(
            f"{path} cannot be read as a NumPy file without pickled objects ({error}): "
            "save plain numeric arrays with numpy.savez."
        ) from error


def from_array(array: NDArray[Any], shape: Shape, spec: str) -> ImageSet:
    """Turn (N, H, W), (N, H, W, C) or (N, C, H, W) arrays into an image set.

    uint8 arrays are taken as they are; floating arrays must lie in [0, 1].

    Raises:
        InputError: If the layout or the range is another one.
    """
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[3] not in (1, RGB) and array.shape[1] in (1, RGB):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in (1, RGB) or len(array) == 0:
        raise InputError(
            f"{spec} has images of shape {array.shape}: give (N, H, W), (N, H, W, C) or (N, C, H, W) "
            "with 1 or 3 channels and at least one image."
        )
    if array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.floating) or not (
            array.min() >= 0 and array.max() <= 1
        ):
            raise InputError(
                f"{spec} has {array.dtype} images outside [0, 1]: give uint8, or floats in [0, 1]."
            )
        array = np.round(array * 255).astype(np.uint8)
    pictures = (
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image) for image in array
    )
    return ImageSet(torch.from_numpy(np.stack([fit(picture, shape) for picture in pictures])), spec)
