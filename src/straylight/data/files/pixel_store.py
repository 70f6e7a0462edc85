"""Decoded images in one block of memory that grows where it is: no list beside the whole."""

import math
import mmap
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from straylight.core.errors import InputError
from straylight.core.tensors import Pixels, Shape

FIRST = 2**20  # bytes that are asked for at first; pages that nothing was written to take no memory
GROWS = sys.platform.startswith("linux")


class PixelStore:
    """Takes images one after the other, and gives them back in another order, in place.

    Args:
        shape: Channels, height and width of each.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape, self.size = shape, math.prod(shape)
        self.n, self.block = 0, _block(max(FIRST, self.size))

    def append(self, pixels: NDArray[np.uint8]) -> None:
        """Add an image.

        Raises:
            InputError: If there is not enough memory.
        """
        start = self.n * self.size
        if start + self.size > len(self.block):
            self._grow()
        self.block[start : start + self.size] = pixels.tobytes()
        self.n += 1

    def _grow(self) -> None:
        larger = 2 * len(self.block)
        try:
            if GROWS:
                self.block.resize(larger)  # the kernel moves the pages, and copies none
            else:
                block = _block(larger)
                block[: len(self.block)] = self.block
                self.block = block
        except (OSError, MemoryError):
            raise InputError(
                f"more than {self.n:,} images of {self.shape} do not fit into memory: give fewer."
            ) from None

    def finish(self, order: Sequence[int]) -> Pixels:
        """Return all images, that of `order[k]` at place k; nothing can be added any more."""
        array = np.frombuffer(self.block, np.uint8, self.n * self.size).reshape(-1, *self.shape)
        done = np.zeros(self.n, bool)
        for first in range(self.n):
            place, source = first, order[first]
            if done[first] or source == first:
                continue
            held = array[first].copy()
            while source != first:  # round the cycle
                array[place] = array[source]
                done[place] = True
                place, source = source, order[source]
            array[place] = held
            done[place] = True
        return torch.from_numpy(array)


def _block(size: int) -> mmap.mmap:
    """Return zeroed memory that is not of the heap; one that is shared could not grow."""
    return (
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if GROWS
        else mmap.mmap(-1, size)
    )


def room_for(array: NDArray[Any], shape: Shape, *, own: bool) -> NDArray[np.uint8]:
    """Return room for images: where the array has them, if each takes the same bytes there, or new.

    Args:
        array: The images, of any layout whose first axis counts them.
        shape: Channels, height and width of what they become.
        own: Nobody else needs the array.
    """
    size, room = math.prod(shape), (len(array), *shape)
    same = array.dtype == np.uint8 and array[0].size == size and min(array.strides) > 0
    # Images that lie one after the other, each without gaps.
    if own and same and array.flags.writeable and array.strides[0] == size:
        strides = np.cumprod((1, *shape[:0:-1]))[::-1]
        return np.lib.stride_tricks.as_strided(array, room, (size, *strides.tolist()))
    return np.empty(room, np.uint8)
