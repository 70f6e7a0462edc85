"""NumPy files (.npy): read within bounds and written atomically."""

import io
import math
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from straylight.core.bounded_read import read_bounded, sha256_of
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.files import write_bytes

LARGEST_ARRAY = 2**28  # bytes: a perturbation of the largest images is 201 MB
Header = tuple[tuple[int, ...], bool, np.dtype[np.generic]]


def read_array(
    path: Path, *, sha256: str = "", largest: int = LARGEST_ARRAY
) -> NDArray[np.generic]:
    """Read a `.npy` file whose header matches the number of bytes that follow it.

    Args:
        path: The file.
        sha256: Digest of its bytes, where it is known.
        largest: Maximum number of bytes.

    Raises:
        OSError, ValueError: If it is missing, damaged, or has another digest.
    """
    data = read_bounded(path, largest)
    if sha256 and sha256_of(data) != sha256:
        raise ValueError("it is not the file that was written here: its digest differs")
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers that are not Python
            shape, fortran, dtype = _read_npy_header(stream)
    except Exception as error:
        # numpy raises many exception types for a damaged header.
        raise ValueError(reason_of(error)) from error
    content = memoryview(data)[stream.tell() :]
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError("it has Python objects or a negative side")
    if not dtype.itemsize or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(
            f"it claims {quote_text(dtype)} {quote_text(shape)} and has {len(content)} bytes"
        )
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C").copy()


def _read_npy_header(stream: io.BytesIO) -> Header:
    """Read the header of a `.npy` file: shape, order and dtype."""
    version = np.lib.format.read_magic(stream)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"format {version} is not supported")
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    found: Header = read(stream)
    return found


def read_perturbation(path: Path, sha256: str = "") -> NDArray[np.float32]:
    """Read a perturbation, float32 (1, C, H, W).

    Args:
        path: The file.
        sha256: Digest of its bytes, where it is known.

    Raises:
        InputError: If the file is missing, damaged, has another digest, or is not a perturbation.
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
            f"{path} has {quote_text(array.dtype)} {quote_text(array.shape)}, not one finite float32 "
            "(1, C, H, W) perturbation."
        )
    return array.astype(np.float32, copy=False)


def write_array(path: Path, array: NDArray[np.generic]) -> str:
    """Write a `.npy` file in one step; return the SHA-256 of its bytes."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    write_bytes(path, stream.getvalue())
    return sha256_of(stream.getvalue())
