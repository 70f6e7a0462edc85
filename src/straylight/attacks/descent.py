"""Projected descent on one shared perturbation: what all gradient attacks have in common."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from straylight.attacks.ball import Ball
from straylight.attacks.protocol import Snapshot
from straylight.core.tensors import Batch, Delta
from straylight.data.images import ImageSet

MOMENTUM = 0.9


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
    r"""Go down `loss` on mini-batches of photographs, projecting after each step.

    .. math:: v \leftarrow \mu\,v + g / \|g\|_2, \qquad
              \delta \leftarrow \Pi_\epsilon\bigl(\delta - \epsilon\,c_t\,s(v)\bigr)

    with the gradient :math:`g` of the batch, :math:`\mu = 0.9`, :math:`s(v) = v` for L2 and
    :math:`\mathrm{sign}(v)` for L-infinity, and :math:`c_t` that falls from 1 to 1/20 along a cosine:
    the first step reaches the surface of the ball, so few steps go far. Momentum of normalised
    gradients is MI-FGSM's (Dong et al. 2018, https://arxiv.org/abs/1710.06081, there on one image, with
    equal steps that sum to the radius, and the L1 norm).

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
    delta = torch.zeros(1, *photographs.shape) if start is None else start.clone()
    velocity = torch.zeros_like(delta)
    for step in range(steps):
        batch = torch.randint(len(photographs), (batch_size,), generator=generator)
        point = delta.detach().requires_grad_()
        (grad,) = torch.autograd.grad(loss(batch, point), point)
        velocity = MOMENTUM * velocity + grad / grad.norm().clamp(min=1e-12)
        way = velocity.sign() if ball.norm == "linf" else velocity
        delta = ball.project(delta - ball.eps * cosine(step, steps) * way)
        yield Snapshot(delta, (step + 1) * batch_size)


def nudge(photographs: ImageSet, ball: Ball, generator: torch.Generator) -> Delta:
    """Return a hundredth of the radius in a random direction.

    Where a loss compares images with and without the perturbation it is flat at zero, and the first
    step needs a place to go down from: otherwise rounding errors choose the way.
    """
    return ball.scale(torch.randn(1, *photographs.shape, generator=generator)) * 0.01


def cosine(step: int, steps: int) -> float:
    """Fall from 1 to 1/20 along half a cosine."""
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps))
