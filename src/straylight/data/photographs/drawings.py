"""Computer-generated images for an attacker without photographs."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import interpolate

from straylight.core.conventions import Shape
from straylight.core.tensors import Pixels, to_pixels
from straylight.data.photographs.builtin import DRAWING_SPECS


def gaussian_noise(shape: Shape, n: int, rng: np.random.Generator) -> Pixels:
    """Draw images of independent pixels, each image with its own mean and standard deviation.

    PAP, Ban & Dong 2022, https://arxiv.org/abs/2210.03372 (their means 0.4-0.6 and deviations 0.05-0.1;
    here wider, 0.2-0.8 and 0.05-0.3: medical images are darker and brighter than photographs).
    """
    mean, spread = rng.uniform(0.2, 0.8, (n, 1, 1, 1)), rng.uniform(0.05, 0.3, (n, 1, 1, 1))
    return to_pixels(torch.from_numpy(mean + spread * rng.standard_normal((n, *shape))).float())


def jigsaw_pieces(shape: Shape, n: int, rng: np.random.Generator) -> Pixels:
    """Draw grids of 2-16 x 2-16 pieces, each of one random colour.

    After Zhang et al. 2021, https://arxiv.org/abs/2103.11402 (jigsaw images); the smoothing is ours:
    half of the images have edges, half have soft transitions.
    """
    images = []
    for _ in range(n):
        down, across = rng.integers(2, 17, 2)
        pieces = torch.from_numpy(rng.random((1, shape[0], down, across), dtype=np.float32))
        mode = "nearest" if rng.random() < 0.5 else "bilinear"
        images.append(interpolate(pieces, shape[1:], mode=mode))
    return to_pixels(torch.cat(images))


def dead_leaves(shape: Shape, n: int, rng: np.random.Generator) -> Pixels:
    """Draw discs that occlude one another, with the radius density of natural images, r^-3.

    Lee, Mumford & Huang 2001 (occlusion model of natural images); used instead of photographs by
    Baradad et al. 2021, https://arxiv.org/abs/2106.05963.
    """
    channels, height, width = shape
    smallest, largest = 0.02, 0.5
    side = max(height, width)
    down, across = np.ogrid[:height, :width]
    images = np.empty((n, *shape), np.float32)
    for image in images:
        image[:] = rng.random((channels, 1, 1))
        # From back to front; r^-3 by its inverse distribution function.
        share = rng.random(400)
        radii = (smallest**-2 - share * (smallest**-2 - largest**-2)) ** -0.5
        for radius, (y, x) in zip(radii * side, rng.random((400, 2)) * side, strict=True):
            rows = slice(max(0, int(y - radius)), int(y + radius) + 1)
            columns = slice(max(0, int(x - radius)), int(x + radius) + 1)
            disc = (down[rows] - y) ** 2 + (across[:, columns] - x) ** 2 < radius**2
            image[:, rows, columns][:, disc] = rng.random((channels, 1))
    return to_pixels(torch.from_numpy(images))


DRAWINGS: dict[str, Callable[[Shape, int, np.random.Generator], Pixels]] = dict(
    zip(DRAWING_SPECS, (gaussian_noise, jigsaw_pieces, dead_leaves), strict=True)
)
