"""Files of ours: reading is bounded, and what is written is written whole or not at all.

Nothing is written through a link: a file is made in a new folder beside the place where it belongs,
whose name nobody can guess, and then put there in one step, which replaces whatever stands there.
"""

import io
import math
import os
import re
import secrets
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save_file

from straylight.core.bounded_read import digest_of, digest_of_file, read_bounded
from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.tensors import Delta

PARTIAL = ".partial"
OWN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.partial")  # what `scratch` makes
LARGEST_ARRAY = 2**28  # bytes: a perturbation of the largest images is 201 MB
Header = tuple[tuple[int, ...], bool, np.dtype[np.generic]]


def read_array(
    path: Path, *, sha256: str = "", largest: int = LARGEST_ARRAY
) -> NDArray[np.generic]:
    """Read a `.npy` file, whose header must claim exactly the bytes that follow it.

    Args:
        path: The file.
        sha256: Digest of its bytes, where it is known.
        largest: Bytes that it may have.

    Raises:
        OSError, ValueError: If it is missing, broken, or not the file of that digest.
    """
    data = read_bounded(path, largest)
    if sha256 and digest_of(data) != sha256:
        raise ValueError("it is not the file that was written here: its digest differs")
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers that are not Python
            shape, fortran, dtype = read_header(stream)
    except Exception as error:
        # numpy raises many kinds for a broken header.
        raise ValueError(reason_of(error)) from error
    content = memoryview(data)[stream.tell() :]
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError("it holds Python objects or has a negative side")
    if not dtype.itemsize or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(
            f"it claims {quoted(dtype)} {quoted(shape)} and holds {len(content)} bytes"
        )
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C").copy()


def read_header(stream: io.BytesIO) -> Header:
    """Read the header of a `.npy` file: shape, order and kind of its numbers."""
    version = np.lib.format.read_magic(stream)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"format {version} is not read here")
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    found: Header = read(stream)
    return found


def read_delta(path: Path, sha256: str = "") -> Delta:
    """Read a perturbation, float32 (1, C, H, W).

    Args:
        path: The file.
        sha256: Digest of its bytes, where it is known.

    Raises:
        InputError: If the file is missing, broken, not the one of that digest, or holds something else.
    """
    try:
        array = read_array(path, sha256=sha256)
    except (OSError, ValueError, MemoryError) as error:
        raise InputError(
            f"{path} cannot be read as a perturbation ({reason_of(error)}): if it belongs to an audit, "
            "run that again."
        ) from error
    whole = array.ndim == 4 and len(array) == 1 and array.size > 0
    if array.dtype != np.float32 or not whole or not np.isfinite(array).all():
        raise InputError(
            f"{path} holds {quoted(array.dtype)} {quoted(array.shape)}, not one finite float32 "
            "(1, C, H, W) perturbation."
        )
    return torch.from_numpy(array)


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name, as ``sha256sum`` prints it."""
    return {path.name: digest_of_file(path) for path in paths}


def make_folder(folder: Path) -> None:
    """Make `folder`, and check that files can be written in it.

    Raises:
        InputError: If not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch(folder / "probe") as probe:
            (probe / "probe").touch()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written to ({reason_of(error)}): give another folder (--out)."
        ) from error


def make_inner_folder(folder: Path) -> None:
    """Make a folder inside one that we write to; what is written there stays there.

    Raises:
        InputError: If it cannot be made, or a link or a file stands in its place.
    """
    if folder.is_symlink():
        raise InputError(
            f"{folder} is a link, and nothing is written through links: remove it, or give another "
            "folder (--out)."
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made ({reason_of(error)}): give another folder (--out)."
        ) from error


def remove_link(path: Path) -> None:
    """Remove a link that stands where a library will write by that name."""
    if path.is_symlink():
        with suppress(OSError):
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, so that no reader ever sees half of it."""
    write_bytes(path, text.encode("utf-8"))


def write_array(path: Path, array: NDArray[np.generic]) -> str:
    """Write a `.npy` file in one step; return the SHA-256 of its bytes."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    write_bytes(path, stream.getvalue())
    return digest_of(stream.getvalue())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step.

    Raises:
        InputError: If it cannot be written; nothing of it is left, and what stood there still does.
    """
    with staged(path) as fresh:
        fresh.write_bytes(data)


def write_tensors(
    path: Path, tensors: dict[str, torch.Tensor], texts: dict[str, str] | None = None
) -> None:
    """Write a safetensors file in one step.

    Raises:
        InputError: If it cannot be written.
    """
    with staged(path) as fresh:
        save_file(tensors, fresh, texts)


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a place to write a file to, which is put at `path` when the context ends well.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        with scratch(path) as folder:
            fresh = folder / path.name
            yield fresh
            with fresh.open("rb+") as stream:
                os.fsync(stream.fileno())
            fresh.replace(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} cannot be written ({reason_of(error)}): look at the disk and the folder; what is "
            "finished is kept, and the same command goes on from there."
        ) from error


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Give a new folder beside `path` that only we can look into, locked while it is used."""
    folder = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    folder.mkdir(0o700)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            lock(descriptor)
            yield folder
        finally:
            os.close(descriptor)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lock(descriptor: int) -> bool:
    """Lock a folder until it is closed or its process ends; report whether nobody else has."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder, and nothing that is being written."""
    with suppress(OSError):
        for partial in folder.glob(f".*{PARTIAL}"):
            if found := OWN.fullmatch(partial.name):
                sweep_one(partial, found["name"])


def sweep_one(partial: Path, name: str) -> None:
    """Remove a scratch folder, unless its writer is alive or it holds more than the file `name`."""
    with suppress(OSError):
        descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if {name}.issuperset(os.listdir(partial)) and lock(descriptor):
                shutil.rmtree(partial, ignore_errors=True)
        finally:
            os.close(descriptor)
