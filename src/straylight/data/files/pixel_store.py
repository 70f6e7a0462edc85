"""Store decoded images in one growing block of memory."""

import math
import mmap
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from straylight.core.conventions import Shape
from straylight.core.errors import InputError
from straylight.core.tensors import Pixels

FIRST = 2**20  # initial size in bytes; unwritten pages take no memory
GROWS = sys.platform.startswith("linux")


class PixelStore:
    """A store to which images are appended, and which returns them reordered in place.

    Args:
        shape: Channels, height and width of each image.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape, self.size = shape, math.prod(shape)
        self.n, self.block = 0, _allocate_block(max(FIRST, self.size))

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
                self.block.resize(larger)  # the kernel moves the pages without copying
            else:
                block = _allocate_block(larger)
                block[: len(self.block)] = self.block
                self.block = block
        except (OSError, MemoryError):
            raise InputError(
                f"more than {self.n:,} images of {self.shape} do not fit into memory: give fewer."
            ) from None

    def finish(self, order: Sequence[int]) -> Pixels:
        """Return all images, with image `order[k]` at position k; nothing can be appended afterwards."""
        array = np.frombuffer(self.block, np.uint8, self.n * self.size).reshape(-1, *self.shape)
        done = np.zeros(self.n, bool)
        for first in range(self.n):
            place, source = first, order[first]
            if done[first] or source == first:
                continue
            held = array[first].copy()
            while source != first:  # follow the cycle
                array[place] = array[source]
                done[place] = True
                place, source = source, order[source]
            array[place] = held
            done[place] = True
        return torch.from_numpy(array)


def _allocate_block(size: int) -> mmap.mmap:
    """Allocate zeroed memory outside the heap; private, since shared memory cannot grow."""
    return (
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if GROWS
        else mmap.mmap(-1, size)
    )


def output_buffer(array: NDArray[Any], shape: Shape, *, own: bool) -> NDArray[np.uint8]:
    """Return a buffer for converted images: the memory of the array if it fits, else a new one.

    Args:
        array: The images, in any layout whose first axis is the image.
        shape: Channels, height and width of the converted images.
        own: The memory of the array may be reused.
    """
    size, room = math.prod(shape), (len(array), *shape)
    same = array.dtype == np.uint8 and array[0].size == size and min(array.strides) > 0
    # Consecutive images, each without gaps.
    if own and same and array.flags.writeable and array.strides[0] == size:
        strides = np.cumprod((1, *shape[:0:-1]))[::-1]
        return np.lib.stride_tricks.as_strided(array, room, (size, *strides.tolist()))
    return np.empty(room, np.uint8)
