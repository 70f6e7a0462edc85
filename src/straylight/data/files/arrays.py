"""Images in NumPy files (`.npy`, `.npz`), read without pickled objects."""

import warnings
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from straylight.core.conventions import Shape
from straylight.core.errors import InputError, join_names, quote_text, reason_of
from straylight.core.limits import RATIO, is_bomb
from straylight.data.files.decode import resize_to_shape
from straylight.data.files.dicom import DicomView
from straylight.data.files.grey_levels import grey_to_8_bits
from straylight.data.files.pixel_store import output_buffer
from straylight.data.files.window import Window
from straylight.data.images import RGB, ImageSet
from straylight.data.value_ranges import EIGHT_BITS, STORED, ValueRange

NPZ = ".npz"
OTHER = "the value for white is unknown"


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Load a `.npy` (as ``images``) or `.npz` file without running pickled code.

    Raises:
        InputError: If the file is missing, damaged, or has Python objects.
    """
    try:
        # Opened here, since numpy does not close a damaged zip file.
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # about headers written by Python 2 or that are not Python
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"images": loaded}
            _check_unpacked_sizes(loaded.zip)
            return {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: give an existing .npy or .npz file.") from None
    except Exception as error:
        # numpy, zipfile and zlib raise many exception types for a damaged or hostile file.
        raise InputError(
            f"{path} cannot be read as a NumPy file without pickled objects ({reason_of(error)}): "
            "save plain numeric arrays with numpy.savez."
        ) from error


def _check_unpacked_sizes(archive: ZipFile) -> None:
    """Raise ValueError if an array is a decompression bomb: numpy unpacks arrays completely."""
    for item in archive.infolist():
        if is_bomb(item.compress_size, item.file_size):
            raise ValueError(
                f"{quote_text(item.filename)} unpacks to more than {RATIO} times its size"
            )


def load_array_pair(path: Path) -> dict[str, NDArray[Any]]:
    """Load ``X_NAME.npy`` and its labels from ``y_NAME.npy`` in the same folder.

    Raises:
        InputError: If there is no such pair.
    """
    labels = path.with_name("y" + path.name[1:])
    if path.name[:1] != "X" or not labels.is_file():
        raise InputError(
            f"{path} has no labels: name the images X_NAME.npy and put their labels beside them as "
            "y_NAME.npy, or give a .npz file with images and labels."
        )
    return load_arrays(path) | {"labels": load_arrays(labels)["images"]}


def select_array_split(
    arrays: dict[str, NDArray[Any]], split: str, spec: str
) -> dict[str, NDArray[Any]]:
    """Select one split of a file in MedMNIST's layout (``test_images``, ``test_labels``).

    Raises:
        InputError: If the split does not exist.
    """
    wanted = f"{split}_images", f"{split}_labels"
    if not set(wanted) <= arrays.keys():
        raise InputError(
            f"{spec} does not have this split. It has the arrays {join_names(sorted(arrays))}."
        )
    return dict(zip(("images", "labels"), (arrays[name] for name in wanted), strict=True))


def image_set_from_array(
    array: NDArray[Any],
    shape: Shape,
    spec: str,
    view: DicomView | None = None,
    *,
    own: bool = False,
) -> ImageSet:
    """Convert an (N, H, W), (N, H, W, C) or (N, C, H, W) array to an image set.

    uint8 arrays are used as they are; floating-point arrays must be in [0, 1]; 16-bit grey values are
    mapped by the window of `view`, or from the minimum to the maximum of each image.

    Args:
        array: The images.
        shape: Target channels, height and width.
        spec: The source, as the user wrote it.
        view: Display of medical images (None: photographs, which must not have 16 bits).
        own: The memory of the array may be reused for the images.

    Raises:
        InputError: If the layout or the value range is not supported.
    """
    # Grey images with three or four columns also have few rows.
    if array.ndim == 3 and array.shape[2] in (RGB, RGB + 1) and min(array.shape[:2]) > RGB + 1:
        raise InputError(
            f"{spec} has an array of shape {array.shape}, which may be one colour image or many "
            f"narrow grey ones: give (1, H, W, {RGB}) or (N, H, W, 1)."
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
        raise InputError(f"{spec} has 16-bit colours: give uint8, or floats in [0, 1].")
    if array.dtype != np.uint8 and not measured:
        floating = np.issubdtype(array.dtype, np.floating)
        if not floating:
            which = "true and false make a mask, not an image" if array.dtype == bool else OTHER
            raise InputError(
                f"{spec} has {quote_text(array.dtype)} images: {which}; give uint8, floats in [0, 1], or "
                "16-bit medical grey values."
            )
        if not (array.min() >= 0 and array.max() <= 1):
            raise InputError(
                f"{spec} has {quote_text(array.dtype)} images outside [0, 1]: give uint8, floats in "
                "[0, 1], or 16-bit medical grey values."
            )
    pixels = output_buffer(array, shape, own=own)
    ranges = []
    for number, image in enumerate(array):
        levels, value_range = _image_to_8_bits(
            image, view.as_window() if measured and view else None
        )
        grey = levels.squeeze(-1) if levels.shape[-1] == 1 else levels
        pixels[number] = resize_to_shape(Image.fromarray(grey), shape)
        ranges.append(value_range)
    return ImageSet(torch.from_numpy(pixels), spec, ranges=tuple(ranges))


def _image_to_8_bits(
    image: NDArray[Any], window: Window | None
) -> tuple[NDArray[np.uint8], ValueRange]:
    """Convert one image to 8 bits."""
    if image.dtype == np.uint8:
        return image, EIGHT_BITS
    if image.dtype.kind in "iu":
        return grey_to_8_bits(image, window)
    return np.round(image * 255).astype(np.uint8), ValueRange(STORED, 0.0, 1.0)
