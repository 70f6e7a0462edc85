"""The step that all gradient attacks take on their one shared perturbation."""

import math

import torch

from straylight.attacks.ball import Ball
from straylight.core.conventions import Shape
from straylight.core.tensors import Delta

MOMENTUM = 0.9


class MomentumDescent:
    r"""Projected descent with momentum of normalised gradients.

    .. math:: v \leftarrow \mu\,v + g / \|g\|_2, \qquad
              \delta \leftarrow \Pi_\epsilon\bigl(\delta - \epsilon\,c_t\,s(v)\bigr)

    with the gradient :math:`g` of a batch, :math:`\mu = 0.9`, :math:`s(v) = v` for L2 and
    :math:`\mathrm{sign}(v)` for L-infinity, and :math:`c_t` that falls from 1 to 1/20 along a cosine:
    the first step reaches the surface of the ball, so few steps go far. Momentum of normalised
    gradients is MI-FGSM's (Dong et al. 2018, https://arxiv.org/abs/1710.06081, there on one image, with
    equal steps that sum to the radius, and the L1 norm).

    Args:
        ball: The budget.
        steps: Number of steps that will be taken.
    """

    def __init__(self, ball: Ball, steps: int) -> None:
        self.ball, self.steps, self.taken = ball, steps, 0
        self.velocity: Delta | None = None

    def step(self, delta: Delta, grad: Delta) -> Delta:
        """Return the perturbation after one step, given the gradient of the loss there."""
        velocity = torch.zeros_like(delta) if self.velocity is None else self.velocity
        self.velocity = MOMENTUM * velocity + grad / grad.norm().clamp(min=1e-12)
        direction = self.velocity.sign() if self.ball.norm == "linf" else self.velocity
        length = self.ball.eps * cosine_decay(self.taken, self.steps)
        self.taken += 1
        return self.ball.project(delta - length * direction)


def cosine_decay(step: int, steps: int) -> float:
    """Return the length of a step: it falls from 1 to 1/20 along half a cosine.

    >>> [round(cosine_decay(step, 2), 3) for step in range(3)]
    [1.0, 0.525, 0.05]
    """
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps))


def random_nudge(shape: Shape, ball: Ball, generator: torch.Generator) -> Delta:
    """Return a hundredth of the radius in a random direction.

    Where a loss compares images with and without the perturbation it is flat at zero, and the first
    step needs a place to descend from: otherwise rounding errors choose the direction.
    """
    return ball.scale(torch.randn(1, *shape, generator=generator)) * 0.01
