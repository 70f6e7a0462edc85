"""Images that claim more samples than their file can have."""

import io
import struct

import pytest
from PIL import Image

from encoded_images import BYTES, COLOUR, GREY, VIEW, encode_jpeg_2000
from straylight.data.files.decode import decode_image


def test_an_image_claims_what_its_file_can_hold() -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (4200, 4200), (9, 9, 9, 255)).save(stream, "PNG")
    small = stream.getvalue()
    assert 4 * 4200**2 > 2**26 > 100 * len(small)
    with pytest.raises(ValueError, match="more than 100 times as much data as a file of its size"):
        decode_image(small, COLOUR, VIEW)
    head = encode_jpeg_2000(BYTES)
    head[8:16] = struct.pack(">II", 9000, 9000)
    head[24:32] = struct.pack(">II", 9000, 9000)
    with pytest.raises(ValueError, match="more than 100 times as much data as a file of its size"):
        decode_image(bytes(head), GREY, VIEW)
