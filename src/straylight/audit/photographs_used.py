"""Which images of a set are looked at."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool

from straylight.core.tensors import Batch, Pixels
from straylight.data.images import ImageSet


@dataclass(frozen=True, eq=False)
class Looks(ImageSet):
    """The same images, with a note of each that is looked at.

    Attributes:
        looked: Whether each of `stored` was.
    """

    looked: Bool[torch.Tensor, "stored"] = field(default_factory=lambda: torch.zeros(0).bool())

    @classmethod
    def at(cls, images: ImageSet) -> "Looks":
        """Return a set that notes what is looked at from now on."""
        looked = torch.zeros(len(images.stored), dtype=torch.bool)
        return cls(
            images.stored, images.spec, rows=images.rows, origin=images.origin, looked=looked
        )

    @property
    def n_distinct(self) -> int:
        """How many different images were looked at."""
        return int(self.looked.sum())

    def subset(self, index: Batch) -> "Looks":
        """Choose images; what is looked at is noted in the same place."""
        rows = index if self.rows is None else self.rows[index]
        return Looks(self.stored, self.spec, rows=rows, origin=self.origin, looked=self.looked)

    def pixels_at(self, index: torch.Tensor | slice) -> Pixels:
        """Return the pixels of the images at `index`, and note them."""
        self.looked[index if self.rows is None else self.rows[index]] = True
        return super().pixels_at(index)
