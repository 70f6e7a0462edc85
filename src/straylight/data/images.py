"""Image sets: images decoded once and stored as uint8, in memory or in a memory-mapped file."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Int64

from straylight.core.conventions import Norm, Shape
from straylight.core.tensors import Batch, Images, Pixels, from_pixels, image_norms
from straylight.data.value_ranges import ValueRange, summarise_ranges

RGB = 3
CHUNK = 64  # images hashed together


@dataclass(frozen=True)
class SkippedImage:
    """A file or image that was skipped, and the reason."""

    file: str
    reason: str


@dataclass(frozen=True)
class ImageOrigin:
    """Origin of the images of a set.

    Attributes:
        kind: Whole photographs, crops of photographs, or computer-generated drawings.
        n_distinct: Number of different originals.
    """

    kind: Literal["photographs", "crops", "drawings"]
    n_distinct: int


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one shape.

    Attributes:
        stored: uint8, (N, C, H, W). May be a read-only memory-mapped file that is larger than memory: use
            `pixels_at`, `images` or `batches` to load a part of it.
        spec: The source of the images, as the user wrote it.
        skipped: Images that were skipped: they could not be read, or have no single label.
        rows: Indices of `stored` that are in the set, in its order (None: all).
        ranges: Value range of each image in `stored` (empty: unknown).
        origin: Origin of the images (None: each is an image of its own; see `source`).
        files: SHA-256 of the file of each image in `stored` (empty: unknown).
    """

    stored: Pixels
    spec: str
    skipped: tuple[SkippedImage, ...] = field(default=())
    rows: Int64[torch.Tensor, "rows"] | None = None
    ranges: tuple[ValueRange, ...] = ()
    origin: ImageOrigin | None = None
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
        """All pixels, uint8 (N, C, H, W); copied into memory if the set is a subset."""
        return self.pixels_at(slice(None))

    @cached_property
    def sha256(self) -> str:
        """Digest of the decoded pixels and their shape, independent of the container of the images."""
        digest = hashlib.sha256(str((len(self), *self.shape)).encode())
        for start in range(0, len(self), CHUNK):
            chunk = self.pixels_at(slice(start, start + CHUNK))
            digest.update(chunk.numpy().tobytes())
        return digest.hexdigest()

    def digests(self) -> set[str]:
        """Return the digests of the decoded pixels of each image."""
        return set(self._digests)

    @cached_property
    def _digests(self) -> frozenset[str]:
        pixels = (self.pixels_at(slice(index, index + 1)) for index in range(len(self)))
        return frozenset(hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in pixels)

    def file_digests(self) -> set[bytes]:
        """Return the digests of the files of the images, where known."""
        if self.rows is None or not self.files:
            return set(self.files)
        return {self.files[row] for row in self.rows.tolist()}

    @property
    def source(self) -> ImageOrigin:
        """Origin of the images; if unknown, photographs, counted by their distinct pixels."""
        return self.origin or ImageOrigin("photographs", len(self._digests))

    def subset(self, index: Batch) -> "ImageSet":
        """Return the images at `index`, in that order, without copying them."""
        rows = index if self.rows is None else self.rows[index]
        behind = self.origin
        if behind is not None:
            behind = ImageOrigin(behind.kind, min(behind.n_distinct, len(index)))
        return ImageSet(
            *(self.stored, self.spec),
            rows=rows,
            ranges=self.ranges,
            origin=behind,
            files=self.files,
        )

    @property
    def value_ranges(self) -> tuple[dict[str, Any], ...]:
        """The conversions of image values to 8 bits, one row per method (see `summarise_ranges`)."""
        if self.rows is None or not self.ranges:
            return summarise_ranges(self.ranges)
        return summarise_ranges(self.ranges[row] for row in self.rows.tolist())

    def pixels_at(self, index: torch.Tensor | slice) -> Pixels:
        """Return the pixels of the images at `index`, uint8 (n, C, H, W)."""
        return self.stored[index if self.rows is None else self.rows[index]]

    def images(self, index: torch.Tensor | slice) -> Images:
        """Return the images at `index` as float32 in [0, 1]."""
        return from_pixels(self.pixels_at(index))

    def batches(self, batch_size: int) -> Iterator[Images]:
        """Yield all images in order, in batches."""
        for start in range(0, len(self), batch_size):
            yield self.images(slice(start, start + batch_size))

    def mean_norm(self, norm: Norm) -> float:
        """Return the mean norm of the images in [0, 1], over all channels and pixels."""
        norms = [image_norms(batch, norm).double() for batch in self.batches(256)]
        return float(torch.cat(norms).mean())


class CopiedImages(ImageSet):
    """An image set that returns copies, for code that might modify them.

    Args:
        images: The original set, which stays unchanged and may count accesses.
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
        """A copy of all pixels, made on first access, which counts as an access to every image."""
        return self.pixels_at(slice(None))

    def subset(self, index: Batch) -> "CopiedImages":
        """Return the images at `index`, in that order; they are copied on access."""
        return CopiedImages(self._images.subset(index))

    def pixels_at(self, index: torch.Tensor | slice) -> Pixels:
        """Return a copy of the pixels of the images at `index`, uint8 (n, C, H, W)."""
        return self._images.pixels_at(index).clone()
