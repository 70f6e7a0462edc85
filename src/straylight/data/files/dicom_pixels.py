"""Decode the stored pixels of one DICOM frame, decompressed within bounds."""

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
from straylight.data.files.dicom_tags import DicomRefusedError, required_integer, tag_integer
from straylight.data.files.jpeg_codestreams import check_codestream

ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # of JPEG and JPEG 2000
RUNS = b"\x40\0\0\0"  # second number of an RLE header: offset of the first plane
ALLOCATED = (1, 8, 16, 32)


def check_pixel_tags(dataset: Dataset, largest: int) -> None:
    """Raise DicomRefusedError unless the file has an image of a supported size and depth."""
    if "PixelData" not in dataset:
        raise DicomRefusedError("a DICOM file without pixel data")
    rows, columns = required_integer(dataset, "Rows"), required_integer(dataset, "Columns")
    if not 0 < rows * columns <= largest:
        raise DicomRefusedError(f"claims {rows} x {columns} pixels, which is zero or too many")
    allocated, stored = (
        required_integer(dataset, "BitsAllocated"),
        required_integer(dataset, "BitsStored"),
    )
    if allocated not in ALLOCATED or not 1 <= stored <= allocated:
        raise DicomRefusedError(f"claims {stored} of {allocated} bits per pixel")
    if required_integer(dataset, "PixelRepresentation") not in (0, 1):
        raise DicomRefusedError("has a PixelRepresentation that is neither 0 nor 1")


def decode_stored_pixels(dataset: Dataset, frame: int, frames: int, syntax: UID) -> NDArray[Any]:
    """Decode one frame to its stored values: (H, W) grey or indices, (H, W, 3) RGB.

    Raises:
        DicomRefusedError: If it needs more work than an image should.
        Exception: Of many types, if it is damaged.
    """
    kind = str(dataset.PhotometricInterpretation)
    if syntax.is_compressed and syntax.is_encapsulated:
        data = _compressed_frame(dataset, frame, frames)
        if syntax == RLELossless:
            return _decode_run_lengths(data, dataset)
        check_codestream(data)
        # Decode only the data that was checked.
        frame, dataset.NumberOfFrames = 0, 1
        dataset.PixelData = encapsulate([data + b"\0" * (len(data) % 2)])
        for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if name in dataset:
                del dataset[name]
        return np.asarray(pixel_array(dataset, index=frame))
    _check_length(dataset, frames)
    values = np.asarray(pixel_array(dataset, index=frame, correct_unused_bits=False))
    return _clear_unused_bits(values, dataset, kind)


def _check_length(dataset: Dataset, frames: int) -> None:
    """Raise DicomRefusedError unless uncompressed pixel data has the length of the stated frames."""
    expected, there = get_expected_length(dataset), len(dataset.PixelData)
    if there < expected:
        raise DicomRefusedError(f"has truncated pixel data: {there} of {expected} bytes")
    # One more byte makes the length even.
    if there >= expected + max(2, expected // frames):
        raise DicomRefusedError(f"has more images than stated (NumberOfFrames is {frames})")


def _clear_unused_bits(values: NDArray[Any], dataset: Dataset, kind: str) -> NDArray[Any]:
    """Clear the bits beside the stored ones: overlays, or leftovers of the writer."""
    stored, size = required_integer(dataset, "BitsStored"), 8 * values.dtype.itemsize
    if stored == size or required_integer(dataset, "BitsAllocated") == 1:
        return values
    if values.ndim == 3 and kind != "RGB":  # its colours are already converted
        raise DicomRefusedError(f"has colours ({kind}) of {stored} of {size} bits")
    high = tag_integer(dataset, "HighBit")
    high = stored - 1 if high is None else high
    if not stored - 1 <= high < size:
        raise DicomRefusedError(f"has {stored} bits per pixel that end at bit {high}")
    # Shift up to the top and down again, which extends the sign of signed values.
    return np.asarray(np.right_shift(np.left_shift(values, size - 1 - high), size - stored))


def _compressed_frame(dataset: Dataset, frame: int, frames: int) -> bytes:
    """Return the compressed bytes of one frame."""
    data = bytes(dataset.PixelData)
    _check_fragments(data, frames)
    tables = [dataset.get(name) for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
    offsets = (tables[0], tables[1]) if all(tables) else None
    found = get_frame(data, frame, number_of_frames=frames, extended_offsets=offsets)
    return bytes(found)


def _check_fragments(data: bytes, frames: int) -> None:
    """Raise DicomRefusedError if compressed pixels have too many fragments, or more images than frames."""
    place, n, images = 0, 0, 0
    while data[place : place + 4] == ITEM and place + 8 <= len(data):
        start = place + 8
        place += 8 + int(struct.unpack_from("<I", data, place + 4)[0])
        n += 1
        if n > FRAGMENTS:
            raise DicomRefusedError(f"has pixels in more than {FRAGMENTS} fragments")
        begins = data.startswith(STARTS, start) or data[start + 4 : start + 8] == RUNS
        images += n > 1 and begins  # the first fragment is the offset table
    if images > frames:
        raise DicomRefusedError(f"has more images than stated (NumberOfFrames is {frames})")


def _decode_run_lengths(data: bytes, dataset: Dataset) -> NDArray[Any]:
    """Decode RLE data (PS3.5 G), never to more values than the frame has."""
    rows, columns = required_integer(dataset, "Rows"), required_integer(dataset, "Columns")
    samples, size = (
        required_integer(dataset, "SamplesPerPixel"),
        required_integer(dataset, "BitsAllocated") // 8,
    )
    header = struct.unpack_from("<16I", data)
    n = header[0]
    if samples not in (1, 3) or n != samples * size or n == 0:
        raise DicomRefusedError(f"has {n} RLE planes")
    starts = [*header[1 : n + 1], len(data)]
    planes = []
    for start, end in pairwise(starts):
        if not 64 <= start < end:
            raise DicomRefusedError("has RLE planes that are not in order")
        # As PackBits, which Pillow supports; as one row, since runs may continue into the next.
        flat = Image.frombytes("L", (rows * columns, 1), data[start:end], "packbits", "L")
        planes.append(np.asarray(flat).reshape(rows, columns))
    raw = np.stack(planes, -1).reshape(rows, columns, samples, size)  # most significant byte first
    sign = "i" if required_integer(dataset, "PixelRepresentation") and samples == 1 else "u"
    values = np.ascontiguousarray(raw).view(f">{sign}{size}")[..., 0].astype(f"{sign}{size}")
    kind = str(dataset.PhotometricInterpretation)
    return _clear_unused_bits(
        values[..., 0] if samples == 1 else _to_rgb(values, kind), dataset, kind
    )


def _to_rgb(values: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "RGB":
        return values
    if kind == "YBR_FULL" and values.dtype == np.uint8:
        return np.asarray(Image.fromarray(values, "YCbCr").convert("RGB"))
    raise DicomRefusedError("has colours that RLE does not support")
