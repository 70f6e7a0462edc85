"""A set of images, decoded once and kept as uint8, in memory or in a file that is mapped into it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Int64

from straylight.core.norms import Norm, image_norms
from straylight.core.tensors import Batch, Images, Pixels, Shape, from_pixels
from straylight.data.value_ranges import ValueRange, summarise

RGB = 3
CHUNK = 64  # images that are digested together


@dataclass(frozen=True)
class Skipped:
    """A file or image that was left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Origin:
    """What lies behind a set of images.

    Attributes:
        kind: Whole photographs, crops of them, or drawings, which no camera took.
        n_distinct: How many different pictures.
    """

    kind: Literal["photographs", "crops", "drawings"]
    n_distinct: int


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one shape.

    Attributes:
        stored: uint8, (N, C, H, W). May be a file mapped into memory, larger than memory and not to be
            written to: take what is needed by `pixels_at`, `images` or `batches`.
        spec: Where they came from, as the user wrote it.
        skipped: What was left out: it could not be read, or has no one label.
        rows: Which of `stored` are in the set, in its order (None: all).
        ranges: For each of `stored`, which values became black and white (empty: not known).
        origin: What lies behind them (None: each is a picture of its own; see `source`).
        files: For each of `stored`, the SHA-256 of the file that it was decoded from (empty: not known).
    """

    stored: Pixels
    spec: str
    skipped: tuple[Skipped, ...] = field(default=())
    rows: Int64[torch.Tensor, "rows"] | None = None
    ranges: tuple[ValueRange, ...] = ()
    origin: Origin | None = None
    files: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        return len(self.stored if self.rows is None else self.rows)

    @property
    def shape(self) -> Shape:
        """Channels, height, width."""
        _, channels, height, width = self.stored.shape
        return channels, height, width

    @property
    def pixels(self) -> Pixels:
        """All pixels, uint8 (N, C, H, W), in memory if the set is a part of another."""
        return self.pixels_at(slice(None))

    @cached_property
    def sha256(self) -> str:
        """Digest of the decoded pixels and their shape: the same for the same images in any container."""
        digest = hashlib.sha256(str((len(self), *self.shape)).encode())
        for start in range(0, len(self), CHUNK):
            chunk = self.pixels_at(slice(start, start + CHUNK))
            digest.update(chunk.numpy().tobytes())
        return digest.hexdigest()

    def digests(self) -> set[str]:
        """Digest of the decoded pixels of each image."""
        return set(self._digests)

    @cached_property
    def _digests(self) -> frozenset[str]:
        pixels = (self.pixels_at(slice(index, index + 1)) for index in range(len(self)))
        return frozenset(hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in pixels)

    def file_digests(self) -> set[bytes]:
        """Digests of the files that the images were decoded from, where they are known."""
        if self.rows is None or not self.files:
            return set(self.files)
        return {self.files[row] for row in self.rows.tolist()}

    @property
    def source(self) -> Origin:
        """What lies behind the images: where that is not known, photographs, different by their pixels."""
        return self.origin or Origin("photographs", len(self._digests))

    def subset(self, index: Batch) -> "ImageSet":
        """Choose images, in the order of `index`, without copying them."""
        rows = index if self.rows is None else self.rows[index]
        behind = self.origin
        if behind is not None:
            behind = Origin(behind.kind, min(behind.n_distinct, len(index)))
        return ImageSet(
            *(self.stored, self.spec),
            rows=rows,
            ranges=self.ranges,
            origin=behind,
            files=self.files,
        )

    @property
    def value_ranges(self) -> tuple[dict[str, Any], ...]:
        """How the values of the images became 8 bits, one row for each way (see `summarise`)."""
        if self.rows is None or not self.ranges:
            return summarise(self.ranges)
        return summarise(self.ranges[row] for row in self.rows.tolist())

    def pixels_at(self, index: torch.Tensor | slice) -> Pixels:
        """Return the pixels of the images at `index`, uint8 (n, C, H, W)."""
        return self.stored[index if self.rows is None else self.rows[index]]

    def images(self, index: torch.Tensor | slice) -> Images:
        """Return the images at `index` as float32 in [0, 1]."""
        return from_pixels(self.pixels_at(index))

    def batches(self, batch_size: int) -> Iterator[Images]:
        """Yield all images in order."""
        for start in range(0, len(self), batch_size):
            yield self.images(slice(start, start + batch_size))

    def mean_norm(self, norm: Norm) -> float:
        """Mean norm of an image in [0, 1], over all channels and pixels."""
        norms = [image_norms(batch, norm).double() for batch in self.batches(256)]
        return float(torch.cat(norms).mean())


class CopiedImages(ImageSet):
    """The same images for code that might write into them: all that it is given is a copy.

    Args:
        images: Are left as they are, and note what is looked at if they do so.
    """

    def __init__(self, images: ImageSet) -> None:
        self._images = images
        vars(self).update(
            spec=images.spec, skipped=images.skipped, rows=None, origin=images.origin,
            ranges=images.ranges if images.rows is None else (),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self._images)

    @property
    def shape(self) -> Shape:
        """Channels, height, width."""
        return self._images.shape

    @cached_property
    def stored(self) -> Pixels:
        """A copy of all pixels, made when it is first asked for: it counts as a look at every image."""
        return self.pixels_at(slice(None))

    def subset(self, index: Batch) -> "CopiedImages":
        """Choose images, in the order of `index`; they are copied when they are looked at."""
        return CopiedImages(self._images.subset(index))

    def pixels_at(self, index: torch.Tensor | slice) -> Pixels:
        """Return a copy of the pixels of the images at `index`, uint8 (n, C, H, W)."""
        return self._images.pixels_at(index).clone()
