"""Images as NumPy arrays: `.npy` and `.npz` files, never with pickled objects."""

import warnings
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from straylight.errors import InputError, listed, quoted, reason_of
from straylight.formats.pictures import fit
from straylight.formats.pixelstore import room_for
from straylight.images import RGB, ImageSet
from straylight.limits import RATIO, is_bomb
from straylight.tensors import Shape

NPZ = ".npz"


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
    """See that no array unpacks to more than images do: numpy unpacks them whole."""
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


def from_array(array: NDArray[Any], shape: Shape, spec: str, *, own: bool = False) -> ImageSet:
    """Turn (N, H, W), (N, H, W, C) or (N, C, H, W) arrays into an image set.

    uint8 arrays are taken as they are; floating arrays must lie in [0, 1].

    Args:
        array: The images.
        shape: Channels, height and width to bring them to.
        spec: Where they came from, as the user wrote it.
        own: Nobody else needs the array: its memory may be used for the images.

    Raises:
        InputError: If the layout or the range is another one.
    """
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[3] not in (1, RGB) and array.shape[1] in (1, RGB):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in (1, RGB) or array.size == 0:
        raise InputError(
            f"{spec} has images of shape {array.shape}: give (N, H, W), (N, H, W, C) or (N, C, H, W) "
            "with 1 or 3 channels and at least one image."
        )
    floating = np.issubdtype(array.dtype, np.floating)
    if array.dtype != np.uint8 and not (floating and array.min() >= 0 and array.max() <= 1):
        raise InputError(
            f"{spec} has {quoted(array.dtype)} images outside [0, 1]: give uint8, or floats in [0, 1]."
        )
    pixels = room_for(array, shape, own=own)
    for number, image in enumerate(array):
        levels = image if image.dtype == np.uint8 else np.round(image * 255).astype(np.uint8)
        grey = levels.squeeze(-1) if levels.shape[-1] == 1 else levels
        pixels[number] = fit(Image.fromarray(grey), shape)
    return ImageSet(torch.from_numpy(pixels), spec)
