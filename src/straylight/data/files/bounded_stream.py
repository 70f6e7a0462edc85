"""A file in memory that ends the patience of whoever reads it too often."""

import io

from straylight.core.limits import HARMLESS, HARMLESS_SAMPLES, RATIO, READ_AGAIN


class TooCostlyError(Exception):
    """A file that asks for more work than an image does."""


def check_proportion(samples: int, data: bytes) -> None:
    """Raise `TooCostlyError` if an image claims more bytes of values than a file of its size holds."""
    if samples > max(HARMLESS_SAMPLES, RATIO * len(data)):
        raise TooCostlyError(f"claims more than {RATIO} times as much as a file of its size holds")


class Bounded(io.BytesIO):
    """Bytes that may be read only so often, and only so many times over.

    Readers in Python take a step for every chunk, marker, directory or tag; each step reads.

    Args:
        data: The file.
        steps: How often it may be read from.
    """

    def __init__(self, data: bytes, steps: int) -> None:
        super().__init__(data)
        self._steps = steps
        self._bytes = HARMLESS + READ_AGAIN * len(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and count it."""
        found = super().read(size)
        self._steps -= 1
        self._bytes -= len(found)
        if self._steps < 0 or self._bytes < 0:
            raise TooCostlyError("asks for more work than an image of its size")
        return found
