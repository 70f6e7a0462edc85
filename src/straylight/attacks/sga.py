"""Stochastic gradient aggregation: many small steps ahead, one step along their sum."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from straylight.attacks.ball import Ball
from straylight.attacks.losses import cross_entropy_loss
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.core.errors import InputError
from straylight.core.tensors import Delta
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class Sga:
    r"""Look ahead with small batches, then step along the sum of the gradients met on the way.

    Liu et al. 2023 (ICCV), https://arxiv.org/abs/2308.06015, algorithm 1. For each large batch, from
    :math:`u_0 = \delta`,

    .. math:: g_j = \nabla_u\, \mathbb{E}_{x}\,\min\bigl(\mathrm{CE}(f(x + u_j), y), \beta\bigr), \quad
              u_{j+1} = \mathrm{Proj}(u_j + \alpha\,\mathrm{sign}\,g_j), \quad
              \delta \leftarrow \mathrm{Proj}\bigl(\delta + \alpha\,\mathrm{sign} \sum_j g_j\bigr)

    with :math:`\alpha = \epsilon / 10`, :math:`\beta = 9` and the prediction without the perturbation
    as :math:`y`. The code goes down the negative of this loss (`cross_entropy_loss`): the same step.
    Differs from the paper, which has L-infinity only: L2 steps go along the normalised gradient;
    targeted, the cross-entropy to the target is lowered, without a bound; images are clipped while
    crafting; a last batch that is not full is used as well.

    Attributes:
        epochs: Passes over all photographs.
        outer, inner: Images in a large and in a small batch.
        rounds: How often each image of a large batch is drawn on average, in small batches.
    """

    epochs: int = 20
    outer: int = 250
    inner: int = 10
    rounds: int = 4

    takes_target: ClassVar[bool] = True
    threat_model: ClassVar[ThreatModel] = "T1"

    def __post_init__(self) -> None:
        if min(self.epochs, self.inner, self.rounds) < 1 or self.outer < self.inner:
            raise InputError(
                "sga needs epochs, inner and rounds >= 1 and outer >= inner, "
                f"not {self.epochs}, {self.inner}, {self.rounds} and {self.outer}."
            )

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        whole, rest = divmod(n_photographs, self.outer)
        steps = whole * self.lookahead(self.outer) + (self.lookahead(rest) if rest else 0)
        return self.epochs * steps * self.inner

    def lookahead(self, n: int) -> int:
        """Return how many small batches are drawn from a large one of `n` images."""
        return max(1, self.rounds * n // self.inner)

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        clean = classifier.logits_all(photographs)
        delta, seen = torch.zeros(1, *photographs.shape), 0
        for _ in range(self.epochs):
            order = torch.randperm(len(photographs), generator=generator)
            for outer in torch.split(order, self.outer):
                ahead, total = delta.clone(), torch.zeros_like(delta)
                for _ in range(self.lookahead(len(outer))):
                    batch = outer[torch.randint(len(outer), (self.inner,), generator=generator)]
                    ahead.requires_grad_()
                    images = photographs.images(batch)
                    logits = classifier.attack_logits((images + ahead).clamp(0, 1), images)
                    loss = cross_entropy_loss(logits, clean[batch], target).mean()
                    (grad,) = torch.autograd.grad(loss, ahead)
                    ahead = step_downhill(ahead.detach(), grad, ball)
                    total += grad
                    seen += self.inner
                delta = step_downhill(delta, total, ball)
                yield Snapshot(delta, seen)


def step_downhill(delta: Delta, grad: Delta, ball: Ball) -> Delta:
    """Return the perturbation a tenth of the radius downhill: by sign (L-infinity) or gradient (L2)."""
    if ball.norm == "linf":
        return ball.project(delta - ball.eps / 10 * grad.sign())
    return ball.project(delta - ball.eps / 10 * grad / grad.norm().clamp(min=1e-12))
