"""Decoded images in one `.npy` file, written row by row and memory-mapped."""

import hashlib
import math
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from straylight.core.conventions import Shape
from straylight.core.tensors import Pixels
from straylight.data.files.selection import ImageFile, Selection


class UnreadableFileError(Exception):
    """Photographs that cannot be identified by their content, since one or all cannot be read."""


def write_pixels(
    path: Path, chosen: Selection, shape: Shape
) -> tuple[dict[int, bytes], dict[int, str]]:
    """Decode files one by one into the rows of a `.npy` file, skipping those that cannot be decoded.

    The file is written rather than mapped: a full disk then raises an error instead of ending the process.

    Returns:
        The digest of each file's bytes, and the reasons for skipped files.
    """
    digests: dict[int, bytes] = {}
    reasons: dict[int, str] = {}
    size = math.prod(shape)
    with path.open("w+b") as stream:
        start = _write_npy_header(stream, (0, *shape))
        for file in chosen.files():
            data = read_file_bytes(file)
            digests[file.index] = hashlib.sha256(data).digest()
            try:
                pixels = chosen.decode(data, shape)
            except ValueError as error:
                reasons[file.index] = str(error)
                continue
            stream.seek(start + file.index * size)
            stream.write(pixels.tobytes())
        kept = sorted(digests.keys() - reasons.keys())
        if not kept:
            raise UnreadableFileError
        for place, index in enumerate(kept):
            if place != index:
                stream.seek(start + index * size)
                row = stream.read(size)
                stream.seek(start + place * size)
                stream.write(row)
        stream.truncate(start + len(kept) * size)
        _write_npy_header(stream, (len(kept), *shape))
    return digests, reasons


def _write_npy_header(stream: BinaryIO, shape: tuple[int, ...]) -> int:
    """Write the header of a `.npy` file; return its length, which does not depend on the number of rows."""
    stream.seek(0)
    head = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, head)
    return stream.tell()


def read_file_bytes(file: ImageFile) -> bytes:
    """Read a file; raise UnreadableFileError if it cannot be read."""
    try:
        return file.read()
    except ValueError as error:
        raise UnreadableFileError from error


def digest_of_files(digests: dict[int, bytes]) -> str:
    """Return the digest of the files' digests, in the order of their positions."""
    return hashlib.sha256(b"".join(digests[index] for index in sorted(digests))).hexdigest()


def map_pixels(path: Path) -> Pixels:
    """Map the pixels of a `.npy` file into memory, read-only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a damaged header
        array = np.lib.format.open_memmap(path, mode="r")
    if array.dtype != np.uint8 or array.ndim != 4:
        raise ValueError(f"{array.dtype} {array.shape} are not pixels")
    with warnings.catch_warnings():
        # Image sets are not modified; a writable map would count as memory in full.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
