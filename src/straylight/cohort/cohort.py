"""A cohort: the labelled medical images that a classifier is scored on."""

from dataclasses import dataclass

import torch

from straylight.core.checks import check_type
from straylight.core.errors import InputError, quote_text
from straylight.core.tensors import Labels
from straylight.data.images import ImageSet
from straylight.models.specification import parse_class_names


@dataclass(frozen=True, eq=False)
class Cohort:
    """Medical images with their labels.

    Attributes:
        images: The images, resized to the classifier's shape.
        labels: Index into `class_names`, shape (N,).
        class_names: Names of the classes, in the classifier's order.

    Raises:
        InputError: If one has the wrong type, or a name cannot be recorded.
    """

    images: ImageSet
    labels: Labels
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_type(self.images, "images", ImageSet, "load_cohort(...).images or ImageSet(...)")
        check_type(self.labels, "labels", torch.Tensor, "torch.tensor([0, 1, ...])")
        try:
            names = parse_class_names(self.class_names)
        except InputError as error:
            raise InputError(f"{quote_text(self.images.spec)}: {error}") from error
        object.__setattr__(self, "class_names", names)

    def __len__(self) -> int:
        return len(self.images)

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class."""
        found = torch.bincount(self.labels, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, found, strict=True))
