"""Rotate the features of the public backbone away from their clean direction."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from straylight.attacks.ball import Ball
from straylight.attacks.descent import MomentumDescent, random_nudge
from straylight.attacks.features import Features, check_feature_settings, refuse_target
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class Disrupt:
    r"""Minimise the cosine of a public network's features with and without the perturbation.

    .. math:: \min_{\|\delta\|_p \le \epsilon}\ \frac{1}{L} \sum_l \mathbb{E}_x
              \cos\bigl(h_l(x),\, h_l(x + \delta)\bigr)

    with the outputs :math:`h_l` of the convolutions: the cosine loss of Zhang et al. 2021,
    https://arxiv.org/abs/2103.11402, on features instead of logits, since the public network does
    not have the target model's classes. The target model is never queried. The steps are those of
    `MomentumDescent`; images are clipped while crafting.

    Attributes:
        steps: Number of updates.
        batch_size: Photographs in an update, drawn with replacement.
        depth: Share of the network's convolutions whose features are rotated, from the first.
    """

    steps: int = 300
    batch_size: int = 32
    depth: float = 1.0

    takes_target: ClassVar[bool] = False
    threat_model: ClassVar[ThreatModel] = "T2"

    def __post_init__(self) -> None:
        check_feature_settings("disrupt", self.steps, self.batch_size, self.depth)

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
        refuse_target("disrupt", target)
        descent = MomentumDescent(ball, self.steps)
        with Features(classifier, self.depth) as features:
            delta = random_nudge(photographs.shape, ball, generator)
            for step in range(self.steps):
                batch = torch.randint(len(photographs), (self.batch_size,), generator=generator)
                images = photographs.images(batch)
                with torch.no_grad():
                    before = features(images)
                point = delta.detach().requires_grad_()
                after = features((images + point).clamp(0, 1))
                cosines = [
                    torch.cosine_similarity(a.flatten(1), b.flatten(1)).mean()
                    for a, b in zip(after, before, strict=True)
                ]
                (grad,) = torch.autograd.grad(torch.stack(cosines).mean(), point)
                delta = descent.step(delta, grad)
                yield Snapshot(delta, (step + 1) * self.batch_size)
