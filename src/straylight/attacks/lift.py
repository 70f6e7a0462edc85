"""Low-level layer lifting: raise the first activations of the public backbone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from straylight.attacks.ball import Ball
from straylight.attacks.descent import MomentumDescent
from straylight.attacks.features import Features, check_feature_settings, refuse_target
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class Lift:
    r"""Raise the activations of a public network's first layers, which fine-tuning changes least.

    Ban & Dong 2022, https://arxiv.org/abs/2210.03372 (low-level layer lifting, L4A),

    .. math:: \min_{\|\delta\|_p \le \epsilon}\ -\frac{1}{L} \sum_l
              \log \mathbb{E}_x \bigl[ h_l(x + \delta)^2 \bigr]

    with the outputs :math:`h_l` of the first convolutions. The target model is never queried.
    Differs from the paper: photographs instead of Gaussian noise; the logarithm, so that no layer
    outweighs the others (GD-UAP, Mopuri et al. 2018, https://arxiv.org/abs/1801.08092); the steps of
    `MomentumDescent`; images are clipped while crafting.

    Attributes:
        steps: Number of updates.
        batch_size: Photographs in an update, drawn with replacement.
        depth: Share of the network's convolutions that are lifted, from the first.
    """

    steps: int = 300
    batch_size: int = 32
    depth: float = 0.2

    takes_target: ClassVar[bool] = False
    threat_model: ClassVar[ThreatModel] = "T2"

    def __post_init__(self) -> None:
        check_feature_settings("lift", self.steps, self.batch_size, self.depth)

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
        delta, descent = torch.zeros(1, *photographs.shape), MomentumDescent(ball, self.steps)
        with Features(classifier, self.depth) as features:
            for step in range(self.steps):
                batch = torch.randint(len(photographs), (self.batch_size,), generator=generator)
                point = delta.detach().requires_grad_()
                lifted = features((photographs.images(batch) + point).clamp(0, 1))
                loss = -torch.stack([layer.square().mean().log() for layer in lifted]).mean()
                (grad,) = torch.autograd.grad(loss, point)
                delta = descent.step(delta, grad)
                yield Snapshot(delta, (step + 1) * self.batch_size)
