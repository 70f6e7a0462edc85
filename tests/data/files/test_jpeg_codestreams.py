"""JPEG and JPEG 2000 codestreams: scans and depths."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from dicoms import dicom, written
from encoded_images import BYTES, COLOUR, DEEP, GREY, VIEW, encode_jpeg_2000, stretch_to_range
from grey_files import MONO_SHAPE, encode_image, load_grey_files
from straylight.data.files.decode import decode_image, decode_with_range
from straylight.data.value_ranges import SPAN, STORED, UPPER_BITS, ValueRange


def many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = encode_image(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def test_hang_11_a_jpeg_of_many_scans_is_not_decoded(tmp_path: Path) -> None:
    data = many_scans(4096, 400)
    inside = dicom(np.zeros((2, 2), np.uint8), Rows=4096, Columns=4096)

    inside.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    inside.PixelData = encapsulate([data + b"\0" * (len(data) % 2)])
    inside["PixelData"].is_undefined_length = True
    files = {"a.jpg": data, "b.dcm": written(inside), "c.jpg": many_scans(64, 30)}
    start = time.process_time()
    found = load_grey_files(tmp_path, files)
    assert time.process_time() - start < 2
    assert [item.file for item in found.images.skipped] == ["A/a.jpg", "A/b.dcm"]
    assert {item.reason for item in found.images.skipped} == {
        "needs more work than an image of its size should"
    }
    assert torch.equal(found.images.pixels, torch.full((1, *MONO_SHAPE), 128, dtype=torch.uint8))


def test_jpeg_2000_has_the_depth_that_it_says() -> None:
    """The same codestream with another depth in its head: what is stored moves around the middle."""
    colours = encode_jpeg_2000((DEEP >> 8).astype(np.uint8))
    assert list(colours[42:51:3]) == [7, 7, 7]
    for bits in (12, 16):
        colours[42:51:3] = bytes([bits - 1]) * 3
        _, told = decode_with_range(bytes(colours), COLOUR, VIEW)
        assert told == ValueRange(UPPER_BITS, 0, 2**bits - 1)
    colours[42:51:3] = b"\x87" * 3
    with pytest.raises(ValueError, match="signed values that are not grey"):
        decode_image(bytes(colours), COLOUR, VIEW)
    colours[42:51:3] = b"\x07\x07\x0b"
    with pytest.raises(ValueError, match="different depths"):
        decode_image(bytes(colours), COLOUR, VIEW)
    low = BYTES >> 6
    grey = encode_jpeg_2000(low + np.uint8(128 - 8))  # around 8 of 16, as 8 bits are around 128
    grey[42] = 3
    shown, told = decode_with_range(bytes(grey), GREY, VIEW)
    assert (shown[0] == 17 * low).all()
    assert told == ValueRange(STORED, 0, 15)
    signed = encode_jpeg_2000(BYTES)
    signed[42] = 0x87
    shown, told = decode_with_range(bytes(signed), GREY, VIEW)
    assert (shown[0] == stretch_to_range(BYTES)).all()
    assert told == ValueRange(SPAN, int(BYTES.min()) - 128, int(BYTES.max()) - 128)
