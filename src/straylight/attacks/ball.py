"""The budget of a perturbation: a norm and a radius."""

import math
from dataclasses import dataclass
from typing import get_args

from straylight.core.conventions import LEVELS, Norm
from straylight.core.errors import InputError
from straylight.core.tensors import Delta, image_norms

ROUNDING = 1 + 1e-4  # of float32, in the size of a perturbation on the surface of the ball


@dataclass(frozen=True)
class Ball:
    r"""All perturbations with :math:`\|\delta\|_p \le \epsilon`, on images in [0, 1].

    Attributes:
        norm: ``"l2"`` or ``"linf"``, over all channels and pixels together.
        eps: The radius (ξ in the paper, there in [-1, 1] units, so twice as large).

    Raises:
        InputError: If `norm` is unknown, or `eps` is not a positive finite number or, in L-infinity,
            above 1.

    Example:
        >>> import torch
        >>> Ball("linf", 8 / 255).project(torch.ones(1, 1, 1, 2)).mul(255).round().tolist()
        [[[[8.0, 8.0]]]]
    """

    norm: Norm
    eps: float

    def __post_init__(self) -> None:
        if self.norm not in get_args(Norm):
            raise InputError(f"norm must be one of {', '.join(get_args(Norm))}, not {self.norm!r}.")
        check_eps(self.eps, self.norm)

    def size(self, delta: Delta) -> float:
        """Return the length of `delta` in this ball's norm."""
        return float(image_norms(delta, self.norm))

    def project(self, delta: Delta) -> Delta:
        """Return the point of the ball nearest to `delta` in the Euclidean sense."""
        if self.norm == "linf":
            return delta.clamp(-self.eps, self.eps)
        return delta * min(1.0, self.eps / max(self.size(delta), 1e-12))

    def scale(self, delta: Delta) -> Delta:
        """Return `delta` scaled to the surface of the ball."""
        return delta * (self.eps / max(self.size(delta), 1e-12))


def check_eps(eps: float, norm: Norm) -> None:
    """Check a radius on images in [0, 1].

    Raises:
        InputError: If it is not a positive finite number, or is above 1 in L-infinity.
    """
    if not (math.isfinite(eps) and eps > 0):
        raise InputError(f"eps must be a positive finite number, not {eps}.")
    if norm == "linf" and eps > 1:
        remedy = "give at most 1."
        if eps <= LEVELS:
            remedy = f"{eps:g} grey levels is --eps-levels {eps:g}, in Python eps={eps:g}/{LEVELS}."
        raise InputError(
            f"eps must be at most 1 for linf, not {eps:g}, since images lie in [0, 1]: {remedy}"
        )


def check_zeta(zeta: float) -> None:
    """Check a share of the mean image norm.

    Raises:
        InputError: If it is not in (0, 1].
    """
    if not (math.isfinite(zeta) and 0 < zeta <= 1):
        raise InputError(
            f"zeta must lie in (0, 1], not {zeta}: it is a share of the mean image norm, "
            "so 0.02 means 2 %."
        )


def eps_from_zeta(zeta: float, mean_norm: float) -> float:
    """Convert a share of the mean image norm to a radius on images in [0, 1].

    The paper (Minagi 2022, section 2.4) measures the mean norm over all channels on the 0..255
    scale; `mean_norm` is that number divided by 255, so the result is its ξ divided by two.

    Raises:
        InputError: If `zeta` is not in (0, 1].
    """
    check_zeta(zeta)
    return zeta * mean_norm
