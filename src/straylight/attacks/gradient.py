"""Mini-batch stochastic gradient on one shared perturbation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from straylight.attacks.protocol import Snapshot
from straylight.ball import Ball
from straylight.classifier import Classifier
from straylight.errors import InputError
from straylight.images import ImageSet
from straylight.tensors import Delta, Labels, Logits


@dataclass(frozen=True, kw_only=True)
class Gradient:
    r"""Descend the mean margin of mini-batches of photographs, projecting after each step.

    Shafahi et al. 2020, https://arxiv.org/abs/1811.11304 (stochastic gradient on the perturbation);
    Zhang et al. 2020, https://arxiv.org/abs/2007.06189 (bounded margin loss, Adam, proxy photographs).

    .. math:: \min_{\|\delta\|_p \le \epsilon}\ \mathbb{E}_x\,
              \max\bigl(z_y - \max_{j \ne y} z_j,\, -\kappa\bigr), \qquad
              z = f(\mathrm{clip}(x + \delta))

    non-targeted, where :math:`y` is the prediction on the clean photograph; targeted,
    :math:`\max(\max_{j \ne t} z_j - z_t, -\kappa)`.
    L-infinity: Adam, step `ball.eps` / 8. L2: steps along the normalised gradient with momentum, of
    length `ball.eps` / 20. Both lengths fall to 1/20 along a cosine.
    Differs from the papers: images are clipped to [0, 1] while crafting, since the victim will see
    them clipped; labels of photographs are the classifier's own predictions; the L2 rule.

    Attributes:
        steps: Number of updates.
        batch_size: Photographs in an update, drawn with replacement.
        kappa: Logit margin beyond which an image counts as fooled and pulls no more.
    """

    steps: int = 300
    batch_size: int = 32
    kappa: float = 10.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or not self.kappa >= 0:
            raise InputError(
                "gradient needs steps >= 1, batch_size >= 1 and kappa >= 0, "
                f"not {self.steps}, {self.batch_size} and {self.kappa}."
            )

    def planned(self, n_photographs: int, n_classes: int) -> int:
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
        n = len(photographs)
        labels = wanted_labels(classifier, photographs, target)
        delta = torch.zeros(1, *photographs.shape, requires_grad=True)
        optimiser = step_rule(delta, ball)
        peak = optimiser.param_groups[0]["lr"]
        for step in range(self.steps):
            batch = torch.randint(n, (self.batch_size,), generator=generator)
            logits = classifier((photographs.images(batch) + delta).clamp(0, 1))
            away = margin(logits, labels[batch])
            loss = away if target is None else -away
            (grad,) = torch.autograd.grad(loss.clamp(min=-self.kappa).mean(), delta)
            delta.grad = grad / grad.norm().clamp(min=1e-12) if ball.norm == "l2" else grad
            optimiser.param_groups[0]["lr"] = peak * cosine(step, self.steps)
            optimiser.step()
            with torch.no_grad():
                delta.copy_(ball.project(delta))
            yield Snapshot(delta.detach().clone(), (step + 1) * self.batch_size)


def wanted_labels(classifier: Classifier, photographs: ImageSet, target: int | None) -> Labels:
    """Return, for each photograph, its clean prediction (to leave) or the target (to reach)."""
    if target is None:
        return classifier.predict_all(photographs)
    return torch.full((len(photographs),), target)


def step_rule(delta: Delta, ball: Ball) -> torch.optim.Optimizer:
    """Return Adam for L-infinity, and momentum (on normalised gradients) for L2."""
    if ball.norm == "linf":
        return torch.optim.Adam([delta], lr=ball.eps / 8)
    return torch.optim.SGD([delta], lr=ball.eps / 20, momentum=0.9)


def cosine(step: int, steps: int) -> float:
    """Fall from 1 to 1/20 along half a cosine."""
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps))


def margin(logits: Logits, labels: Labels) -> Tensor:
    """Logit of `labels` less the largest other logit; shape (batch,).

    >>> margin(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([1]))
    tensor([-2.])
    """
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -math.inf)
    return own - others.amax(1)
