"""Losses of the gradient attacks: a number for each image, small where it is fooled."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from straylight.core.errors import InputError
from straylight.core.tensors import Labels, Logits

Loss = Callable[[Logits, Logits, int | None], Tensor]

BETA = 9.0  # of the bounded cross-entropy: SGA, Liu et al. 2023


def logit_margin(logits: Logits, labels: Labels) -> Tensor:
    """Return the logit of `labels` less the largest other logit; shape (batch,).

    >>> logit_margin(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([1]))
    tensor([-2.])
    """
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -math.inf)
    return own - others.amax(1)


def margin_loss(logits: Logits, clean: Logits, target: int | None, kappa: float) -> Tensor:
    r"""Return :math:`\max(z_y - \max_{j \ne y} z_j, -\kappa)`, or its mirror image for a target.

    Zhang et al. 2020, https://arxiv.org/abs/2007.06189, equation 5.
    """
    if target is None:
        return logit_margin(logits, clean.argmax(1)).clamp(min=-kappa)
    return (-logit_margin(logits, repeat_target(target, clean))).clamp(min=-kappa)


def cross_entropy_loss(
    logits: Logits, clean: Logits, target: int | None, beta: float = BETA
) -> Tensor:
    r"""Return :math:`-\min(\mathrm{CE}(z, y), \beta)`, or :math:`\mathrm{CE}(z, t)` for a target.

    Shafahi et al. 2020, https://arxiv.org/abs/1811.11304, equation 4.
    """
    if target is not None:
        return F.cross_entropy(logits, repeat_target(target, clean), reduction="none")
    return -F.cross_entropy(logits, clean.argmax(1), reduction="none").clamp(max=beta)


def cosine_loss(logits: Logits, clean: Logits, target: int | None) -> Tensor:
    """Return the cosine of the logits with and without the perturbation; it needs no label.

    Zhang et al. 2021, https://arxiv.org/abs/2103.11402 (there on the same logits).

    Raises:
        InputError: If there is a target, which the papers do not define.
    """
    if target is not None:
        raise InputError("the cosine loss has no target: use loss=margin for a targeted attack.")
    return F.cosine_similarity(logits, clean)


def repeat_target(target: int, clean: Logits) -> Labels:
    """Return the target as the label of every image."""
    return torch.full((len(clean),), target)


def find_loss(name: str, kappa: float) -> Loss:
    """Return the loss of a name; `kappa` bounds the margin.

    Raises:
        InputError: If there is no such loss.
    """
    losses: dict[str, Loss] = {
        "margin": lambda logits, clean, target: margin_loss(logits, clean, target, kappa),
        "cross-entropy": cross_entropy_loss,
        "cosine": cosine_loss,
    }
    if name not in losses:
        raise InputError(f"there is no loss {name!r}: gradient has {', '.join(losses)}.")
    return losses[name]
