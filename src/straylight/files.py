"""Files: perturbations read back, and everything written whole or not at all."""

import hashlib
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from straylight.errors import InputError, quoted, reason_of
from straylight.tensors import Delta


def read_delta(path: Path) -> Delta:
    """Read a perturbation, float32 (1, C, H, W).

    Raises:
        InputError: If the file is missing, broken, or holds something else.
    """
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that are no Python
            array = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:
        # numpy raises many kinds for a broken header, a MemoryError for one that claims terabytes.
        raise InputError(
            f"{path} cannot be read as a perturbation ({reason_of(error)}): if it belongs to an audit, "
            "run that again."
        ) from error
    whole = array.ndim == 4 and len(array) == 1 and array.size > 0
    if array.dtype != np.float32 or not whole or not np.isfinite(array).all():
        raise InputError(
            f"{path} holds {quoted(array.dtype)} {array.shape}, not one finite float32 (1, C, H, W) "
            "perturbation."
        )
    return torch.from_numpy(array)


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name, as ``sha256sum`` prints it."""
    found = {}
    for path in paths:
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def make_folder(folder: Path) -> None:
    """Make `folder` and see that files can be written in it.

    Raises:
        InputError: If not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".straylight-{os.getpid()}"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{folder} cannot be written to ({reason}): give another --out."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, so that no reader ever sees half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write a `.npy` file in one step."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
    partial.replace(path)
