"""Check TIFF directories before Pillow converts all their values, and silence libtiff."""

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from straylight.core.limits import TIFF_DIRECTORIES, TIFF_TAGS, TIFF_VALUES, WORK
from straylight.data.files.bounded_stream import TooCostlyError

BYTES = (1, 2, 6, 7)  # types that Pillow keeps as bytes
NUMBERS = {3: "H", 4: "I", 16: "Q"}
WIDTH, HEIGHT, COMPRESSION, ROWS, TILE_WIDTH, TILE_HEIGHT = 256, 257, 259, 278, 322, 323
BITS, PHOTOMETRIC, FILL_ORDER, PLANES = 258, 262, 266, 284
RAW, SEPARATE = 1, 2
PLAIN = (1, 2, 3, 5)  # grey, RGB, palettes, CMYK
UNREAD = (
    "is a TIFF that is damaged or of an unusual kind: save it as grey or RGB with 8 or 16 bits per "
    "value, without sign and alpha"
)
JPEG = (6, 7)
ERRORS = 2  # the descriptor that C libraries write to, whatever `sys.stderr` is
ONE_AT_A_TIME = threading.Lock()
SCAN, COMPONENTS = b"\xff\xda\0", 4


def check_tiff_directories(data: bytes, page: int) -> None:
    """Raise TooCostlyError if the directories up to a page list more values than an image should."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    counted, offset, size = ("Q", "Q", 20) if big else ("H", "I", 12)
    entry = struct.Struct(order + ("HHQ" if big else "HHI"))
    values = 0
    try:
        place = int(struct.unpack_from(order + offset, data, 8 if big else 4)[0])
        for directory in range(page + 2):
            if place == 0:
                return
            if directory > TIFF_DIRECTORIES:
                raise TooCostlyError(f"has more than {TIFF_DIRECTORIES} pages")
            n = int(struct.unpack_from(order + counted, data, place)[0])
            start = place + struct.calcsize(order + counted)
            if n > TIFF_TAGS:
                raise TooCostlyError(f"has a directory of more than {TIFF_TAGS} tags")
            tags: dict[int, int] = {}
            for number in range(n):
                tag, kind, count = entry.unpack_from(data, start + size * number)
                if count == 1 and kind in NUMBERS:
                    at = start + size * number + entry.size
                    tags[tag] = int(struct.unpack_from(order + NUMBERS[kind], data, at)[0])
                values += 1 + (0 if kind in BYTES else count)
                if values > TIFF_VALUES:
                    raise TooCostlyError("lists more values than an image of its size should")
            _check_scans(data, tags)
            place = int(struct.unpack_from(order + offset, data, start + size * n)[0])
    except struct.error:  # truncated: Pillow reports it
        return


def _check_scans(data: bytes, tags: dict[int, int]) -> None:
    """Raise TooCostlyError if the embedded JPEG has more scans than its strips or tiles need."""
    if tags.get(COMPRESSION) not in JPEG:
        return
    width, height = tags.get(WIDTH, 0), tags.get(HEIGHT, 0)
    across, down = tags.get(TILE_WIDTH, width), tags.get(TILE_HEIGHT, tags.get(ROWS, height))
    scanned = data.count(SCAN) * min(across, width) * min(down, height)
    if scanned > COMPONENTS * width * height + WORK:
        raise TooCostlyError("needs more work than an image of its size should")


def check_tiff_planes(image: Image.Image) -> None:
    """Raise ValueError for separate planes that Pillow would combine incorrectly."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(PLANES) != SEPARATE or tags.get(COMPRESSION, RAW) != RAW:
        return
    plain = tags.get(PHOTOMETRIC) in PLAIN and tags.get(FILL_ORDER, 1) == 1
    if not plain or set(np.atleast_1d(tags.get(BITS, (1,)))) != {8}:
        raise ValueError("is a TIFF with separate planes: save it with interleaved channels")


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Discard the error stream of C libraries for the duration of a context."""
    with ONE_AT_A_TIME:
        kept, nowhere = os.dup(ERRORS), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, ERRORS)
            yield
        finally:
            os.dup2(kept, ERRORS)
            os.close(kept)
            os.close(nowhere)
