"""Check GIF files before decoding: Pillow takes a step for each block of 255 bytes."""

from straylight.core.limits import GIF_BLOCKS
from straylight.data.files.bounded_stream import TooCostlyError

EXTENSION, IMAGE = 0x21, 0x2C
COMMENT = 0xFE
LONGEST_COMMENT = 2**12  # blocks, which Pillow concatenates one by one


def count_gif_images(data: bytes) -> int:
    """Count the images of a GIF, up to the first damaged block.

    Raises:
        TooCostlyError: If it has too many blocks or too long comments.
    """
    place = 13 + _palette_size(data[10:11])
    images = blocks = comments = 0
    while place < len(data):
        kind = data[place]
        if kind == EXTENSION:
            comment, place = data[place + 1 : place + 2] == bytes([COMMENT]), place + 2
        elif kind == IMAGE:
            images += 1
            comment, place = False, place + 11 + _palette_size(data[place + 9 : place + 10])
        else:
            break
        while place < len(data) and data[place]:
            place += data[place] + 1
            blocks += 1
            comments += comment
            if blocks > GIF_BLOCKS or comments > LONGEST_COMMENT:
                raise TooCostlyError("has more blocks than an image of its size should")
        place += 1
    return images


def _palette_size(flags: bytes) -> int:
    """Return the size of a palette in bytes, from its flags."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0
