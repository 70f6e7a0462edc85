"""A file in memory with a limit on the number of reads."""

import io

from straylight.core.limits import HARMLESS, HARMLESS_SAMPLES, RATIO, READ_AGAIN


class TooCostlyError(Exception):
    """A file that needs more work than an image should."""


def check_claimed_size(samples: int, data: bytes) -> None:
    """Raise TooCostlyError if an image claims more samples than a file of its size can have."""
    if samples > max(HARMLESS_SAMPLES, RATIO * len(data)):
        raise TooCostlyError(
            f"claims more than {RATIO} times as much data as a file of its size can have"
        )


class BoundedStream(io.BytesIO):
    """A byte stream with a limited number of reads and of bytes read.

    Python readers take a step for every chunk, marker, directory or tag, and each step reads.

    Args:
        data: The file.
        steps: Maximum number of reads.
    """

    def __init__(self, data: bytes, steps: int) -> None:
        super().__init__(data)
        self._steps = steps
        self._bytes = HARMLESS + READ_AGAIN * len(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read and count the read."""
        found = super().read(size)
        self._steps -= 1
        self._bytes -= len(found)
        if self._steps < 0 or self._bytes < 0:
            raise TooCostlyError("needs more work than an image of its size should")
        return found
