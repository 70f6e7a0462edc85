"""Raise the first activations of the public backbone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from straylight.attacks.ball import Ball
from straylight.attacks.descent import descend
from straylight.attacks.features import Features
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.core.errors import InputError
from straylight.core.tensors import Batch, Delta
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class Lift:
    r"""Make the first layers of a public network shout: fine-tuning changes them least.

    Ban & Dong 2022, https://arxiv.org/abs/2210.03372 (low-level layer lifting, L4A),

    .. math:: \min_{\|\delta\|_p \le \epsilon}\ -\frac{1}{L} \sum_l
              \log \mathbb{E}_x \bigl[ h_l(x + \delta)^2 \bigr]

    with the outputs :math:`h_l` of the first convolutions. The victim is never asked.
    Differs from the paper: photographs in the place of Gaussian noise; the logarithm, so that no layer
    outweighs the others (GD-UAP, Mopuri et al. 2018, https://arxiv.org/abs/1801.08092); the steps of
    `descend`; images are clipped while crafting.

    Attributes:
        steps: Number of updates.
        batch_size: Photographs in an update, drawn with replacement.
        depth: Share of the network's convolutions that is lifted, the first ones.
    """

    steps: int = 300
    batch_size: int = 32
    depth: float = 0.2

    takes_target: ClassVar[bool] = False
    threat_model: ClassVar[ThreatModel] = "T2"

    def __post_init__(self) -> None:
        check_settings("lift", self.steps, self.batch_size, self.depth)

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return self.steps * self.batch_size

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        refuse_target("lift", target)
        with Features(classifier, self.depth) as features:

            def loss(batch: Batch, delta: Delta) -> Tensor:
                lifted = features((photographs.images(batch) + delta).clamp(0, 1))
                return -torch.stack([layer.square().mean().log() for layer in lifted]).mean()

            yield from descend(
                loss,
                photographs,
                ball,
                steps=self.steps,
                batch_size=self.batch_size,
                generator=generator,
            )


def check_settings(name: str, steps: int, batch_size: int, depth: float) -> None:
    """Refuse settings that make no sense for an attack on features."""
    if steps < 1 or batch_size < 1 or not 0 < depth <= 1:
        raise InputError(
            f"{name} needs steps >= 1, batch_size >= 1 and depth in (0, 1], "
            f"not {steps}, {batch_size} and {depth}."
        )


def refuse_target(name: str, target: int | None) -> None:
    """Refuse a target: a public network does not have the victim's classes."""
    if target is not None:
        raise InputError(f"{name} has no target: the public network has other classes.")
