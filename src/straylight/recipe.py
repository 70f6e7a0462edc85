"""How a classifier is trained: the settings, the split, the augmentation, the learning rate."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from straylight.errors import InputError
from straylight.tensors import Images, Labels

PRETRAINED, RANDOM = "pretrained", "none"

Flips = Literal["none", "horizontal", "both"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is trained: all layers, SGD with one cycle of the learning rate.

    Attributes:
        backbone: A timm model name, or ``torchvision:NAME``.
        backbone_args: Keyword arguments for the library that builds it.
        weights: A safetensors file, ``pretrained`` (the library downloads them), or ``none`` (random).
        epochs: Passes over the training part.
        learning_rate: Peak of the cycle.
        batch_size: Images in a step.
        weight_decay: L2 penalty.
        validation: Share of each class held out to choose the checkpoint.
        flips: ``none``, ``horizontal`` or ``both``: each half of the time.
        rotation, shift: Largest angle in degrees, and largest share of the side (the paper: 5 and
            0.05). They resample the images, which blurs them a little in training only.
        mean, std: Normalisation of images in [0, 1] (the paper: 0.5, 0.5).
        seed: Of the split, the order, the augmentation and the new head.
    """

    backbone: str
    backbone_args: dict[str, Any] = field(default_factory=dict)
    weights: str = PRETRAINED
    epochs: int = 8
    learning_rate: float = 0.02
    batch_size: int = 32
    weight_decay: float = 1e-4
    validation: float = 0.1
    flips: Flips = "horizontal"
    rotation: float = 0.0
    shift: float = 0.0
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise InputError(
                "epochs must be at least 1 and batch_size at least 2, "
                f"not {self.epochs} and {self.batch_size}."
            )
        if not 0 < self.validation < 1:
            raise InputError(f"validation must lie between 0 and 1, not {self.validation}.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"learning_rate must be positive, not {self.learning_rate}.")


def split(labels: Labels, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split indices into training and validation, with the same share (at least one) of each class."""
    generator = torch.Generator().manual_seed(seed)
    train, validation = [], []
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        if len(members) == 1:
            raise InputError(
                f"class number {label} has one image: at least two are needed to train."
            )
        if len(members) == 0:
            continue
        members = members[torch.randperm(len(members), generator=generator)]
        cut = max(1, round(share * len(members)))
        validation.append(members[:cut])
        train.append(members[cut:])
    return torch.cat(train), torch.cat(validation)


def augment(images: Images, recipe: Recipe, generator: torch.Generator) -> Images:
    """Flip each image at random, and rotate and shift it in one resampling if the recipe says so."""
    uniform = torch.rand(5, len(images), 1, 1, 1, generator=generator)
    if recipe.flips != "none":
        images = torch.where(uniform[0] < 0.5, images.flip(3), images)
    if recipe.flips == "both":
        images = torch.where(uniform[1] < 0.5, images.flip(2), images)
    if recipe.rotation == 0 and recipe.shift == 0:
        return images
    angle, across, down = (uniform[2:, :, 0, 0, 0] * 2 - 1).unbind()
    angle = angle * math.radians(recipe.rotation)
    rows = [
        torch.stack([angle.cos(), -angle.sin(), across * 2 * recipe.shift], 1),
        torch.stack([angle.sin(), angle.cos(), down * 2 * recipe.shift], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Learning rate at `step`: a linear rise over the first 15 %, then half a cosine to zero."""
    rise = 0.15 * steps
    if step < rise:
        return peak * (step + 1) / (rise + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))
