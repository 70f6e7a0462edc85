"""Random views of photographs: crops, mirrored, and mixes of two."""

import torch
import torch.nn.functional as F

from straylight.core.tensors import Images
from straylight.data.images import ImageSet


def random_views(
    photographs: ImageSet,
    n: int,
    *,
    smallest_crop: float,
    mix: float,
    generator: torch.Generator,
) -> Images:
    """Draw `n` views, each a blend of random resized crops of two random photographs.

    Args:
        photographs: The photographs, drawn with replacement.
        n: Number of views.
        smallest_crop: Smallest share of the area in a crop, in (0, 1].
        mix: Largest share of the second photograph, in [0, 1/2].
        generator: Source of all randomness.

    Returns:
        Images in [0, 1], shape (n, C, H, W).
    """
    first, second = (
        random_resized_crop(
            _sample_photographs(photographs, n, generator), smallest_crop, generator
        )
        for _ in "ab"
    )
    share = mix * torch.rand(n, 1, 1, 1, generator=generator)
    return first.lerp(second, share)


def _sample_photographs(photographs: ImageSet, n: int, generator: torch.Generator) -> Images:
    """Draw `n` photographs with replacement."""
    return photographs.images(torch.randint(len(photographs), (n,), generator=generator))


def random_resized_crop(images: Images, smallest: float, generator: torch.Generator) -> Images:
    """Crop each image at random, resize the crop to the whole, and mirror half of them left-right."""
    n = len(images)
    area, mirror, across, down = torch.rand(4, n, generator=generator)
    side = (smallest + (1 - smallest) * area).sqrt()
    flip = torch.where(mirror < 0.5, 1.0, -1.0)
    corners = torch.zeros(n, 2, 3)
    corners[:, 0, 0], corners[:, 1, 1] = side * flip, side
    corners[:, 0, 2], corners[:, 1, 2] = (1 - side) * (2 * across - 1), (1 - side) * (2 * down - 1)
    grid = F.affine_grid(corners, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
