"""Estimate the work of decoding a JPEG or JPEG 2000 codestream before decoding it."""

import re
import struct

from straylight.core.limits import (
    FREE_SCANS,
    J2K_BLOCK,
    J2K_PACKETS,
    J2K_TILES,
    MOST_FREE_SCANS,
    SEGMENTS,
    WORK,
)
from straylight.data.files.bounded_stream import TooCostlyError, check_claimed_size

_MARKER = re.compile(
    rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL
)  # restart markers are inside a scan
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
_TOO_MUCH = "needs more work than an image of its size should"
_SIZE, _STYLES, _TILE, _DATA = 0xFF51, (0xFF52, 0xFF53), 0xFF90, 0xFF93
_START = b"\xff\x4f\xff\x51"


def check_codestream(data: bytes) -> None:
    """Raise TooCostlyError if a codestream needs more work than an image of its size should."""
    if data.startswith(b"\xff\xd8"):
        _check_jpeg(data)
    elif (start := data.find(_START)) >= 0:
        _check_jpeg2000(data, start)


def jpeg2000_depth(data: bytes) -> tuple[int, bool]:
    """Return the bits per component of a JPEG 2000 file, and whether they are signed.

    Raises:
        ValueError: If components differ.
    """
    start = data.find(_START)
    (n,) = struct.unpack_from(">H", data, start + 40)
    depths = {*data[start + 42 : start + 42 + 3 * n : 3]}
    if len(depths) != 1:
        raise ValueError("has components with different depths: save it with one depth")
    (depth,) = depths
    return (depth & 0x7F) + 1, bool(depth & 0x80)


def _check_jpeg(data: bytes) -> None:
    """Count the scans of a JPEG, each of which visits all pixels."""
    place, scans, pixels, segments, free = 2, 0, 0, 0, MOST_FREE_SCANS
    while (found := _MARKER.search(data, place)) is not None:
        code, place, segments = found[1][0], found.end(), segments + 1
        if code == _END:
            return
        if code in (0x01, 0xD8):
            continue
        if code in _FRAMES and place + 8 <= len(data):
            height, width, components = struct.unpack_from(">HHB", data, place + 3)
            pixels = max(pixels, height * width)
            check_claimed_size(pixels * components, data)
            free = FREE_SCANS.get(components, MOST_FREE_SCANS)
        scans += code == _SCAN
        if segments > SEGMENTS or (scans - free) * pixels > WORK:
            raise TooCostlyError(_TOO_MUCH)
        place += int.from_bytes(data[place : place + 2], "big")


def _check_jpeg2000(data: bytes, start: int) -> None:
    """Count the tiles and packets of JPEG 2000, whose memory is allocated before reading."""
    place, tiles, area, parts, components = start + 2, 1, 0, 0, 1
    while place + 4 <= len(data):
        code, length = struct.unpack_from(">HH", data, place)
        if code == _SIZE and place + 40 <= len(data):
            _, width, height, left, top, across, down, x, y = struct.unpack_from(
                ">HIIIIIIII", data, place + 4
            )
            (components,) = struct.unpack_from(">H", data, place + 38)
            deep = any(
                depth & 0x7F > 7 for depth in data[place + 40 : place + 40 + 3 * components : 3]
            )
            check_claimed_size((width - left) * (height - top) * components * (1 + deep), data)
            columns = -(-(width - x) // max(1, across))
            tiles = columns * -(-(height - y) // max(1, down))
            area = min(across, width - left) * min(down, height - top)
            if tiles > J2K_TILES or components > 4:
                raise TooCostlyError(_TOO_MUCH)
        elif code in _STYLES:
            _check_style(data, place, code, components * tiles, area)
        elif code == _TILE:
            parts += 1
            if parts > 2 * J2K_TILES:
                raise TooCostlyError(_TOO_MUCH)
            tile = place, int(struct.unpack_from(">I", data.ljust(place + 10, b"\0"), place + 6)[0])
        elif code == _DATA:
            if not parts or tile[1] == 0:  # the last tile
                return
            place = max(place + 2, sum(tile))
            continue
        place += 2 + length


def _check_style(data: bytes, place: int, code: int, copies: int, area: int) -> None:
    """Check the layers, levels, blocks and precincts of one coding style."""
    own = code == _STYLES[0]
    style = data[place + 4 :] if own else data[place + 5 :]
    style = style[:64]
    layers = int.from_bytes(style[2:4], "big") if own else 1
    found = style[5:] if own else style[1:]
    if len(found) < 5:
        return
    levels, wide, high = found[0] & 0x3F, (found[1] & 15) + 2, (found[2] & 15) + 2
    precincts = 1
    if style[0] & 1:
        least = min((size & 15) + (size >> 4) for size in found[5 : 6 + levels] or b"\0")
        precincts = -(-area // (1 << least)) + 1
    packets = copies * layers * (levels + 1) * precincts
    if levels > 32 or wide + high < J2K_BLOCK or packets > J2K_PACKETS:
        raise TooCostlyError(_TOO_MUCH)
