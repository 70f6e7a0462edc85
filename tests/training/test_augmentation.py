"""Flips and shifts of training images."""

from collections.abc import Callable

import pytest
import torch

from straylight.training.augmentation import augment_images
from straylight.training.recipe import Recipe


@pytest.mark.parametrize(
    ("flips", "allowed"),
    [
        ("none", [lambda x: x]),
        ("horizontal", [lambda x: x, lambda x: x.flip(2)]),
        ("both", [lambda x: x, lambda x: x.flip(2), lambda x: x.flip(1), lambda x: x.flip(1, 2)]),
    ],
)
def test_flips_are_what_they_say(
    flips: str, allowed: list[Callable[[torch.Tensor], torch.Tensor]]
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(40, 3, 5, 6, generator=generator)
    recipe = Recipe(backbone="x", flips=flips)  # type: ignore[arg-type]
    kinds = set()
    for before, after in zip(images, augment_images(images, recipe, generator), strict=True):
        kinds.add(next(k for k, flip in enumerate(allowed) if torch.equal(flip(before), after)))
    assert len(kinds) == len(allowed)


def test_shift_moves_by_at_most_its_share() -> None:
    images = torch.zeros(64, 1, 40, 40)
    images[:, :, 20, 20] = 1
    recipe = Recipe(backbone="x", flips="none", shift=0.05)
    moved = augment_images(images, recipe, torch.Generator().manual_seed(0))
    rows = (moved.sum((1, 3)) * torch.arange(40)).sum(1) / moved.sum((1, 2, 3))
    assert float((rows - 20).abs().max()) <= 2.01
    assert float((rows - 20).abs().max()) > 1.5
