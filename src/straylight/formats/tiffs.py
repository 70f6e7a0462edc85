"""Directories of TIFF files, looked at before Pillow makes Python numbers of all that they claim."""

import struct

from straylight.formats.bounded import TooCostlyError
from straylight.limits import TIFF_DIRECTORIES, TIFF_TAGS, TIFF_VALUES, WORK

BYTES = (1, 2, 6, 7)  # types that stay bytes
NUMBERS = {3: "H", 4: "I", 16: "Q"}
WIDTH, HEIGHT, COMPRESSION, ROWS, TILE_WIDTH, TILE_HEIGHT = 256, 257, 259, 278, 322, 323
JPEG = (6, 7)
SCAN, COMPONENTS = b"\xff\xda\0", 4


def check_directories(data: bytes, page: int) -> None:
    """Raise `TooCostlyError` if a directory up to a page lists more values than an image has strips."""
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
                    raise TooCostlyError("lists more values than an image of its size")
            _check_scans(data, tags)
            place = int(struct.unpack_from(order + offset, data, start + size * n)[0])
    except struct.error:  # cut off: Pillow says so
        return


def _check_scans(data: bytes, tags: dict[int, int]) -> None:
    """Raise `TooCostlyError` if the JPEG inside has more scans than its strips or tiles need."""
    if tags.get(COMPRESSION) not in JPEG:
        return
    width, height = tags.get(WIDTH, 0), tags.get(HEIGHT, 0)
    across, down = tags.get(TILE_WIDTH, width), tags.get(TILE_HEIGHT, tags.get(ROWS, height))
    scanned = data.count(SCAN) * min(across, width) * min(down, height)
    if scanned > COMPONENTS * width * height + WORK:
        raise TooCostlyError("asks for more work than an image of its size")
