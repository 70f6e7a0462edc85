"""Stored pixels of one frame of a DICOM file, decompressed within bounds."""

import struct
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import pixel_array
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import UID, RLELossless

from straylight.core.limits import FRAGMENTS
from straylight.data.files.dicom_tags import Refused, needed, whole_of
from straylight.data.files.jpeg_codestreams import check_codestream

ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # of JPEG and JPEG 2000
RUNS = b"\x40\0\0\0"  # the second number of run lengths: where the first plane begins
ALLOCATED = (1, 8, 16, 32)


def check_pixels(dataset: Dataset, largest: int) -> None:
    """Raise `Refused` unless there is a picture, of a size that can be decoded."""
    if "PixelData" not in dataset:
        raise Refused("a DICOM file without pixel data")
    rows, columns = needed(dataset, "Rows"), needed(dataset, "Columns")
    if not 0 < rows * columns <= largest:
        raise Refused(f"claims {rows} x {columns} pixels, which is none or too many")
    allocated, stored = needed(dataset, "BitsAllocated"), needed(dataset, "BitsStored")
    if allocated not in ALLOCATED or not 1 <= stored <= allocated:
        raise Refused(f"claims {stored} of {allocated} bits a pixel")
    if needed(dataset, "PixelRepresentation") not in (0, 1):
        raise Refused("has a PixelRepresentation that is neither 0 nor 1")


def stored_pixels(dataset: Dataset, frame: int, frames: int, syntax: UID) -> NDArray[Any]:
    """Decode one frame to its stored values: (H, W) grey or indices, (H, W, 3) RGB.

    Raises:
        Refused: If it asks for more work than an image does.
        Exception: Of many kinds, if it is broken.
    """
    kind = str(dataset.PhotometricInterpretation)
    if syntax.is_compressed and syntax.is_encapsulated:
        data = _compressed(dataset, frame, frames)
        if syntax == RLELossless:
            return _from_runs(data, dataset)
        check_codestream(data)
        # Only what was checked is decoded.
        frame, dataset.NumberOfFrames = 0, 1
        dataset.PixelData = encapsulate([data + b"\0" * (len(data) % 2)])
        for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if name in dataset:
                del dataset[name]
        return np.asarray(pixel_array(dataset, index=frame))
    _check_length(dataset, frames)
    values = np.asarray(pixel_array(dataset, index=frame, correct_unused_bits=False))
    return _of_high_bit(values, dataset, kind)


def _check_length(dataset: Dataset, frames: int) -> None:
    """Raise `Refused` unless uncompressed pixels are as many as the frames that the file says."""
    expected, there = get_expected_length(dataset), len(dataset.PixelData)
    if there < expected:
        raise Refused(f"has pixel data that are cut short: {there} bytes of {expected}")
    # One byte more makes their number even.
    if there >= expected + max(2, expected // frames):
        raise Refused(f"holds more images than it says (NumberOfFrames is {frames})")


def _of_high_bit(values: NDArray[Any], dataset: Dataset, kind: str) -> NDArray[Any]:
    """Cut off the bits beside the stored ones: overlays, or what a writer left there."""
    stored, size = needed(dataset, "BitsStored"), 8 * values.dtype.itemsize
    if stored == size or needed(dataset, "BitsAllocated") == 1:
        return values
    if values.ndim == 3 and kind != "RGB":  # its colours are made over already
        raise Refused(f"has colours ({kind}) of {stored} of {size} bits")
    high = whole_of(dataset, "HighBit")
    high = stored - 1 if high is None else high
    if not stored - 1 <= high < size:
        raise Refused(f"has {stored} bits a pixel that end at bit {high}")
    # Up to the top, and down again: the sign of signed ones fills what was there.
    return np.asarray(np.right_shift(np.left_shift(values, size - 1 - high), size - stored))


def _compressed(dataset: Dataset, frame: int, frames: int) -> bytes:
    """Return the compressed bytes of one frame."""
    data = bytes(dataset.PixelData)
    _check_fragments(data, frames)
    tables = [dataset.get(name) for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
    offsets = (tables[0], tables[1]) if all(tables) else None
    found = get_frame(data, frame, number_of_frames=frames, extended_offsets=offsets)
    return bytes(found)


def _check_fragments(data: bytes, frames: int) -> None:
    """Raise `Refused` if compressed pixels come in more pieces than frames do, or are more images."""
    place, n, images = 0, 0, 0
    while data[place : place + 4] == ITEM and place + 8 <= len(data):
        start = place + 8
        place += 8 + int(struct.unpack_from("<I", data, place + 4)[0])
        n += 1
        if n > FRAGMENTS:
            raise Refused(f"has pixels in more than {FRAGMENTS} pieces")
        begins = data.startswith(STARTS, start) or data[start + 4 : start + 8] == RUNS
        images += n > 1 and begins  # the first piece is the table of offsets
    if images > frames:
        raise Refused(f"holds more images than it says (NumberOfFrames is {frames})")


def _from_runs(data: bytes, dataset: Dataset) -> NDArray[Any]:
    """Decode run lengths (PS3.5 G), never to more than the frame has."""
    rows, columns = needed(dataset, "Rows"), needed(dataset, "Columns")
    samples, size = needed(dataset, "SamplesPerPixel"), needed(dataset, "BitsAllocated") // 8
    header = struct.unpack_from("<16I", data)
    n = header[0]
    if samples not in (1, 3) or n != samples * size or n == 0:
        raise Refused(f"has {n} planes of run lengths")
    starts = [*header[1 : n + 1], len(data)]
    planes = []
    for start, end in pairwise(starts):
        if not 64 <= start < end:
            raise Refused("has planes of run lengths that are not in order")
        # As PackBits, which Pillow knows; of one row, since runs may go on into the next.
        flat = Image.frombytes("L", (rows * columns, 1), data[start:end], "packbits", "L")
        planes.append(np.asarray(flat).reshape(rows, columns))
    raw = np.stack(planes, -1).reshape(rows, columns, samples, size)  # most significant byte first
    sign = "i" if needed(dataset, "PixelRepresentation") and samples == 1 else "u"
    values = np.ascontiguousarray(raw).view(f">{sign}{size}")[..., 0].astype(f"{sign}{size}")
    kind = str(dataset.PhotometricInterpretation)
    return _of_high_bit(values[..., 0] if samples == 1 else _to_rgb(values, kind), dataset, kind)


def _to_rgb(values: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "RGB":
        return values
    if kind == "YBR_FULL" and values.dtype == np.uint8:
        return np.asarray(Image.fromarray(values, "YCbCr").convert("RGB"))
    raise Refused("has colours that run lengths are not made for")
