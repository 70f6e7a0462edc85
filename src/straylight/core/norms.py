"""Norms of images and perturbations."""

import math
from typing import Literal

import torch
from torch import Tensor

from straylight.core.tensors import LEVELS, Delta, Images

Norm = Literal["l2", "linf"]


def image_norms(images: Images, norm: Norm) -> Tensor:
    """Norm of each image over all its channels and pixels; shape (batch,)."""
    order = 2 if norm == "l2" else math.inf
    norms: Tensor = torch.linalg.vector_norm(images, ord=order, dim=(1, 2, 3))
    return norms


def rms_levels(delta: Delta) -> float:
    """Root mean square of a perturbation in grey levels of 0..255."""
    return float(delta.square().mean().sqrt()) * LEVELS
