"""An image set that counts which of its images an attack has looked at."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool

from straylight.core.tensors import Batch, Pixels
from straylight.data.images import ImageSet


@dataclass(frozen=True, eq=False)
class CountedImages(ImageSet):
    """The same images, with a record of those that have been read.

    Attributes:
        seen: Whether each of `stored` has been read; subsets share it.
    """

    seen: Bool[torch.Tensor, "stored"] = field(default_factory=lambda: torch.zeros(0).bool())

    @classmethod
    def wrap(cls, images: ImageSet) -> "CountedImages":
        """Return the images with an empty record."""
        seen = torch.zeros(len(images.stored), dtype=torch.bool)
        return cls(images.stored, images.spec, rows=images.rows, origin=images.origin, seen=seen)

    @property
    def n_distinct(self) -> int:
        """The number of different images that have been read."""
        return int(self.seen.sum())

    def subset(self, index: Batch) -> "CountedImages":
        """Return the images at `index`; they share the record."""
        rows = index if self.rows is None else self.rows[index]
        return CountedImages(self.stored, self.spec, rows=rows, origin=self.origin, seen=self.seen)

    def pixels_at(self, index: torch.Tensor | slice) -> Pixels:
        """Return the pixels of the images at `index`, and record that they have been read."""
        self.seen[index if self.rows is None else self.rows[index]] = True
        return super().pixels_at(index)
