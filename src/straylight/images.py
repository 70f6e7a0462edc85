"""A set of images, decoded once and kept as uint8."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch

from straylight.ball import Norm, image_norms
from straylight.tensors import Images, Pixels, Shape, from_pixels

RGB = 3


@dataclass(frozen=True)
class Skipped:
    """A file that could not be read, and why."""

    file: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one shape.

    Attributes:
        pixels: uint8, (N, C, H, W).
        spec: Where they came from, as the user wrote it.
        skipped: Files left out because they could not be read.
    """

    pixels: Pixels
    spec: str
    skipped: tuple[Skipped, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> Shape:
        """Channels, height, width."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    @cached_property
    def sha256(self) -> str:
        """Digest of the decoded pixels and their shape: the same for the same images in any container."""
        digest = hashlib.sha256(str(tuple(self.pixels.shape)).encode())
        digest.update(self.pixels.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def digests(self) -> set[str]:
        """Digest of the decoded pixels of each image."""
        return {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in self.pixels}

    def images(self, index: torch.Tensor | slice) -> Images:
        """Return the images at `index` as float32 in [0, 1]."""
        return from_pixels(self.pixels[index])

    def batches(self, batch_size: int) -> Iterator[Images]:
        """Yield all images in order."""
        for start in range(0, len(self), batch_size):
            yield self.images(slice(start, start + batch_size))

    def mean_norm(self, norm: Norm) -> float:
        """Mean norm of an image in [0, 1], over all channels and pixels."""
        norms = [image_norms(batch, norm).double() for batch in self.batches(256)]
        return float(torch.cat(norms).mean())
