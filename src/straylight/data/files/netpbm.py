"""Netpbm images (PBM, PGM, PPM), which state their maximum value."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from straylight.core.limits import PLAIN_VALUES
from straylight.data.files.bounded_stream import TooCostlyError
from straylight.data.files.grey_levels import grey_to_8_bits, linear_share, to_8_bits
from straylight.data.files.window import Window
from straylight.data.value_ranges import STORED, ValueRange

_GAP = rb"(?:\s|#[^\r\n]{0,999}[\r\n])+"
_HEAD = re.compile(rb"P([2-6])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})")
_MOST = re.compile(_GAP + rb"(\d{1,5})")
_SEARCHED = 2**12
BITS, PLAIN, COLOUR = b"4", (b"2", b"3"), (b"3", b"6")


def is_portable_map(data: bytes) -> bool:
    """Return whether the first bytes are those of a Netpbm image."""
    return re.match(rb"P[1-6][\s#]", data) is not None


def read_portable_map(
    data: bytes, measured: bool, window: Window | None, largest: int
) -> tuple[Image.Image, ValueRange]:
    """Decode a Netpbm image.

    Args:
        data: The file.
        measured: Grey values of more than 8 bits are measurements: map their range or window to 8 bits.
        window: Window for such values.
        largest: Maximum number of pixels.

    Raises:
        ValueError: If it is damaged, too large, or a plain bitmap.
    """
    head = _HEAD.match(data[:_SEARCHED])
    if head is None:
        raise ValueError("is a portable map with an invalid header, or a plain bitmap")
    kind, width, height = head[1], int(head[2]), int(head[3])
    if not 0 < width * height <= largest:
        raise ValueError(f"claims {height} x {width} pixels, which is zero or too many")
    most, place = 1, head.end()
    if kind != BITS:
        found = _MOST.match(data[:_SEARCHED], place)
        if found is None or not 0 < int(found[1]) < 2**16:
            raise ValueError("is a portable map without a valid maximum value")
        most, place = int(found[1]), found.end()
    channels = 3 if kind in COLOUR else 1
    body = data[place + 1 :]
    values = _unpack_bits(body, width, height) if kind == BITS else _parse_values(body, kind, most)
    pixels = width * height * channels
    used = -(-width // 8) * height if kind == BITS else pixels * (2 if most > 255 else 1)
    if measured and (len(values) > pixels if kind in PLAIN else body[used:].strip(b"\0 \t\r\n")):
        raise ValueError(
            "has several images, or more data than stated: save each image in its own file"
        )
    values = values[:pixels]
    if len(values) < width * height * channels or values.max() > most:
        raise ValueError("is a portable map that is truncated, or has values above its maximum")
    shaped = values.reshape((height, width, channels) if channels > 1 else (height, width))
    if measured and channels == 1 and most > 255:
        grey, value_range = grey_to_8_bits(shaped, window)
        return Image.fromarray(grey), value_range
    value_range = ValueRange(STORED, 0.0, float(most))
    return Image.fromarray(
        to_8_bits(shaped, linear_share(value_range.darkest, value_range.lightest))
    ), value_range


def _parse_values(body: bytes, kind: bytes, most: int) -> NDArray[Any]:
    """Parse the values of an image, binary or plain."""
    if kind not in PLAIN:
        dtype = np.dtype(">u2") if most > 255 else np.dtype(np.uint8)
        whole = body[: len(body) // dtype.itemsize * dtype.itemsize]
        return np.frombuffer(whole, dtype).astype(dtype.newbyteorder("="))
    text = re.sub(rb"#[^\r\n]*", b"", body)
    if len(text) > 8 * PLAIN_VALUES:
        raise TooCostlyError("is a plain portable map that is too large: save it as PNG")
    words = text.split()
    if not all(word.isdigit() and len(word) < 6 for word in words):
        raise ValueError("is a plain portable map with values that are not numbers")
    return np.array(words).astype(np.int64).clip(0, 2**16 - 1).astype(np.uint16)


def _unpack_bits(body: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """Unpack a bitmap to 1 for white and 0 for black."""
    row = -(-width // 8)
    if len(body) < row * height:
        return np.empty(0, np.uint8)
    packed = np.frombuffer(body, np.uint8, row * height).reshape(height, row)
    return (1 - np.unpackbits(packed, axis=1)[:, :width]).reshape(-1)
