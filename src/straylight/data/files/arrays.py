"""Images as NumPy arrays: `.npy` and `.npz` files, never with pickled objects."""

import warnings
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from straylight.core.errors import InputError, listed, quoted, reason_of
from straylight.core.limits import RATIO, is_bomb
from straylight.core.tensors import Shape
from straylight.data.files.decode import fit
from straylight.data.files.dicom import DicomView
from straylight.data.files.grey_levels import grey_levels
from straylight.data.files.pixel_store import room_for
from straylight.data.files.window import Window
from straylight.data.images import RGB, ImageSet
from straylight.data.value_ranges import EIGHT_BITS, STORED, ValueRange

NPZ = ".npz"
OTHER = "which value is white is not known"


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read a `.npy` (as ``images``) or `.npz` file without ever running pickled code.

    Raises:
        InputError: If the file is missing, broken, or holds Python objects.
    """
    try:
        # Opened here, since numpy leaves a broken zip file open.
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote, or that are no Python
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"images": loaded}
            check_packed(loaded.zip)
            return {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: give an existing .npy or .npz file.") from None
    except Exception as error:
        # numpy, zipfile and zlib each raise their own kinds for a broken or hostile file.
        raise InputError(
            f"{path} cannot be read as a NumPy file without pickled objects ({reason_of(error)}): "
            "save plain numeric arrays with numpy.savez."
        ) from error


def check_packed(archive: ZipFile) -> None:
    """Check that no array unpacks to more than images do: numpy unpacks them whole."""
    for item in archive.infolist():
        if is_bomb(item.compress_size, item.file_size):
            raise ValueError(f"{quoted(item.filename)} unpacks to more than {RATIO} times its size")


def load_pair(path: Path) -> dict[str, NDArray[Any]]:
    """Read ``X_NAME.npy`` and, as its labels, ``y_NAME.npy`` beside it.

    Raises:
        InputError: If there is no such pair.
    """
    labels = path.with_name("y" + path.name[1:])
    if path.name[:1] != "X" or not labels.is_file():
        raise InputError(
            f"{path} holds no labels: name the images X_NAME.npy and put their labels beside them as "
            "y_NAME.npy, or give a .npz file with images and labels."
        )
    return load_arrays(path) | {"labels": load_arrays(labels)["images"]}


def of_split(arrays: dict[str, NDArray[Any]], split: str, spec: str) -> dict[str, NDArray[Any]]:
    """Choose one split of a file in MedMNIST's layout (``test_images``, ``test_labels``).

    Raises:
        InputError: If it is not there.
    """
    wanted = f"{split}_images", f"{split}_labels"
    if not set(wanted) <= arrays.keys():
        raise InputError(f"{spec}: there is no such split, only {listed(sorted(arrays))}.")
    return dict(zip(("images", "labels"), (arrays[name] for name in wanted), strict=True))


def from_array(
    array: NDArray[Any],
    shape: Shape,
    spec: str,
    view: DicomView | None = None,
    *,
    own: bool = False,
) -> ImageSet:
    """Turn (N, H, W), (N, H, W, C) or (N, C, H, W) arrays into an image set.

    uint8 arrays are taken as they are; floating arrays must lie in [0, 1]; grey values of 16 bits go
    through the window of `view`, or from the least to the greatest of each image.

    Args:
        array: The images.
        shape: Channels, height and width to bring them to.
        spec: Where they came from, as the user wrote it.
        view: How medical images are shown (None: photographs, which have no 16 bits).
        own: Nobody else needs the array: its memory may be used for the images.

    Raises:
        InputError: If the layout or the range is another one.
    """
    # Grey images of three or four columns are also of few rows.
    if array.ndim == 3 and array.shape[2] in (RGB, RGB + 1) and min(array.shape[:2]) > RGB + 1:
        raise InputError(
            f"{spec} has an array of shape {array.shape}, which is one image in colour or many grey ones "
            f"of that width: give (1, H, W, {RGB}) or (N, H, W, 1)."
        )
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[3] not in (1, RGB) and array.shape[1] in (1, RGB):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in (1, RGB) or array.size == 0:
        raise InputError(
            f"{spec} has images of shape {array.shape}: give (N, H, W), (N, H, W, C) or (N, C, H, W) "
            "with 1 or 3 channels and at least one image."
        )
    measured = view is not None and array.dtype.kind in "iu" and array.dtype.itemsize == 2
    if measured and array.shape[3] != 1:
        raise InputError(f"{spec} has colours of 16 bits: give uint8, or floats in [0, 1].")
    if array.dtype != np.uint8 and not measured:
        floating = np.issubdtype(array.dtype, np.floating)
        if not floating:
            which = "true and false are a mask and no image" if array.dtype == bool else OTHER
            raise InputError(
                f"{spec} has {quoted(array.dtype)} images: {which}; give uint8, floats in [0, 1], or "
                "medical grey values of 16 bits."
            )
        if not (array.min() >= 0 and array.max() <= 1):
            raise InputError(
                f"{spec} has {quoted(array.dtype)} images outside [0, 1]: give uint8, floats in [0, 1], or "
                "medical grey values of 16 bits."
            )
    pixels = room_for(array, shape, own=own)
    ranges = []
    for number, image in enumerate(array):
        levels, told = _levels(image, view.as_window() if measured and view else None)
        grey = levels.squeeze(-1) if levels.shape[-1] == 1 else levels
        pixels[number] = fit(Image.fromarray(grey), shape)
        ranges.append(told)
    return ImageSet(torch.from_numpy(pixels), spec, ranges=tuple(ranges))


def _levels(image: NDArray[Any], window: Window | None) -> tuple[NDArray[np.uint8], ValueRange]:
    """Bring one image to 8 bits."""
    if image.dtype == np.uint8:
        return image, EIGHT_BITS
    if image.dtype.kind in "iu":
        return grey_levels(image, window)
    return np.round(image * 255).astype(np.uint8), ValueRange(STORED, 0.0, 1.0)
