"""Projected descent on one shared perturbation: what all gradient attacks have in common."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from straylight.attacks.protocol import Snapshot
from straylight.ball import Ball
from straylight.images import ImageSet
from straylight.tensors import Batch, Delta


def descend(
    loss: Callable[[Batch, Delta], Tensor],
    photographs: ImageSet,
    ball: Ball,
    *,
    steps: int,
    batch_size: int,
    generator: torch.Generator,
    start: Delta | None = None,
) -> Iterator[Snapshot]:
    """Go down `loss` on mini-batches of photographs, projecting after each step.

    L-infinity: Adam, step `ball.eps` / 8. L2: steps along the normalised gradient with momentum 0.9, of
    length `ball.eps` / 20. Both lengths fall to 1/20 along a cosine.

    Args:
        loss: Of a batch (indices of photographs) and a perturbation (1, C, H, W); a scalar.
        photographs: To draw from, with replacement.
        ball: The budget.
        steps: Number of updates.
        batch_size: Photographs in an update.
        generator: Source of all randomness.
        start: Where from (None: zero).

    Yields:
        The perturbation after each step.
    """
    delta = (
        torch.zeros(1, *photographs.shape) if start is None else start.clone()
    ).requires_grad_()
    optimiser = step_rule(delta, ball)
    peak = optimiser.param_groups[0]["lr"]
    for step in range(steps):
        batch = torch.randint(len(photographs), (batch_size,), generator=generator)
        (grad,) = torch.autograd.grad(loss(batch, delta), delta)
        delta.grad = grad / grad.norm().clamp(min=1e-12) if ball.norm == "l2" else grad
        optimiser.param_groups[0]["lr"] = peak * cosine(step, steps)
        optimiser.step()
        with torch.no_grad():
            delta.copy_(ball.project(delta))
        yield Snapshot(delta.detach().clone(), (step + 1) * batch_size)


def nudge(photographs: ImageSet, ball: Ball, generator: torch.Generator) -> Delta:
    """Return a hundredth of the radius in a random direction.

    Where a loss compares images with and without the perturbation it is flat at zero, and the first
    step needs a place to go down from: otherwise rounding errors choose the way.
    """
    return ball.scale(torch.randn(1, *photographs.shape, generator=generator)) * 0.01


def step_rule(delta: Delta, ball: Ball) -> torch.optim.Optimizer:
    """Return Adam for L-infinity, and momentum (on normalised gradients) for L2."""
    if ball.norm == "linf":
        return torch.optim.Adam([delta], lr=ball.eps / 8)
    return torch.optim.SGD([delta], lr=ball.eps / 20, momentum=0.9)


def cosine(step: int, steps: int) -> float:
    """Fall from 1 to 1/20 along half a cosine."""
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps))
