"""The protocol that every attack follows."""

from collections.abc import Iterator
from typing import ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import torch

from straylight.attacks.ball import Ball
from straylight.core.tensors import Delta
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

ThreatModel = Literal["T0", "T1", "T2"]


class Snapshot(NamedTuple):
    """A perturbation so far, and how many photographs have been looked at for it."""

    delta: Delta
    images_seen: int


@runtime_checkable
class Attack(Protocol):
    """A frozen dataclass of settings that makes one perturbation from photographs.

    It sees a classifier, photographs and a budget, and never a medical image or a label. All its
    randomness comes from `generator`. The last perturbation it yields, shape (1, C, H, W) and inside
    `ball`, is its result.

    Attributes:
        threat_model: ``T1``: it is given the target model; ``T2``: it is given only the public network
            that the target model was fine-tuned from.
    """

    threat_model: ClassVar[ThreatModel]

    @property
    def takes_target(self) -> bool:
        """Whether it can aim at a class."""

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        """Yield the perturbation as it grows.

        Args:
            classifier: The target model (T1) or the public network (T2), frozen, in evaluation mode.
            photographs: What the attack learns on, in the classifier's shape.
            ball: The budget.
            target: Class that every image should be predicted as, or None (non-targeted: any class
                other than without the perturbation).
            generator: Source of all randomness.
        """

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        """Return how many photographs it will have looked at when it ends.

        Args:
            n_photographs: Number of photographs to learn on.
            n_classes: Number of the classifier's classes.
            cost: The classifier's `passes_per_step`.
        """
