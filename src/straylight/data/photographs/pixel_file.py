"""Decoded images as one `.npy` file: written row by row, and mapped into memory."""

import hashlib
import math
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from straylight.core.tensors import Pixels, Shape
from straylight.data.files.selection import File, Selection


class UnreadableError(Exception):
    """Photographs that cannot be known by their content, since a file or all of them cannot be read."""


def write_pixels(
    path: Path, chosen: Selection, shape: Shape
) -> tuple[dict[int, bytes], dict[int, str]]:
    """Decode one file after the other into a `.npy` file, whose rows are those that can be read.

    It is written to, not mapped: a full disk is then an error, where a map ends the process.

    Returns:
        The digest of each file's bytes, and for those skipped the reason.
    """
    digests: dict[int, bytes] = {}
    reasons: dict[int, str] = {}
    size = math.prod(shape)
    with path.open("w+b") as stream:
        start = write_header(stream, (0, *shape))
        for file in chosen.files():
            data = read(file)
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
            raise UnreadableError
        for place, index in enumerate(kept):
            if place != index:
                stream.seek(start + index * size)
                row = stream.read(size)
                stream.seek(start + place * size)
                stream.write(row)
        stream.truncate(start + len(kept) * size)
        write_header(stream, (len(kept), *shape))
    return digests, reasons


def write_header(stream: BinaryIO, shape: tuple[int, ...]) -> int:
    """Write the head of a `.npy` file; return its length, the same for any number of rows."""
    stream.seek(0)
    head = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, head)
    return stream.tell()


def read(file: File) -> bytes:
    """Read a file that must be there."""
    try:
        return file.read()
    except ValueError as error:
        raise UnreadableError from error


def digest(digests: dict[int, bytes]) -> str:
    """Digest of the files' digests, in the order of their places."""
    return hashlib.sha256(b"".join(digests[index] for index in sorted(digests))).hexdigest()


def mapped(path: Path) -> Pixels:
    """Map the pixels of a `.npy` file into memory, for reading only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a damaged header
        array = np.lib.format.open_memmap(path, mode="r")
    if array.dtype != np.uint8 or array.ndim != 4:
        raise ValueError(f"{array.dtype} {array.shape} are no pixels")
    with warnings.catch_warnings():
        # Nobody writes to an image set; a map that may be written to counts as memory in full.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
