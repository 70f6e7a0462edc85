"""Random augmentation of training images: mirrored, rotated, shifted."""

import math

import torch
import torch.nn.functional as F

from straylight.core.tensors import Images
from straylight.training.recipe import Recipe


def augment_images(images: Images, recipe: Recipe, generator: torch.Generator) -> Images:
    """Flip each image at random, and rotate and shift it in one resampling if the recipe asks for it."""
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
