"""Drawings instead of photographs, against what their makers promise."""

import numpy as np
import pytest
import torch

from straylight.core.conventions import Shape
from straylight.core.errors import InputError
from straylight.data.photographs.drawings import (
    DRAWINGS,
    dead_leaves,
    gaussian_noise,
    jigsaw_pieces,
)
from straylight.data.photographs.load import load_natural


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("spec", DRAWINGS)
@pytest.mark.parametrize("shape", [(1, 20, 24), (3, 24, 20)], ids=str)
def test_drawings_come_by_name_and_seed(spec: str, shape: Shape) -> None:
    images = load_natural(spec, shape, n=4, seed=3)
    assert images.shape == shape
    assert images.spec == spec
    assert torch.equal(images.pixels, load_natural(spec, shape, n=4, seed=3).pixels)
    assert not torch.equal(images.pixels, load_natural(spec, shape, n=4, seed=4).pixels)


def test_a_thousand_are_drawn_unless_told() -> None:
    assert len(load_natural("builtin:noise", (1, 8, 8))) == 1000


def test_an_unknown_drawing_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="builtin:photos, builtin:noise, builtin:jigsaw, builtin:"):
        load_natural("builtin:cubism", (1, 8, 8))


def test_noise_has_the_means_and_spreads_it_says() -> None:
    images = gaussian_noise((1, 64, 64), 200, np.random.default_rng(0)).float() / 255
    means, spreads = images.mean((1, 2, 3)), images.std((1, 2, 3))
    assert means.mean() == pytest.approx(0.5, abs=0.03)
    assert means.min() > 0.2 - 0.02
    assert means.max() < 0.8 + 0.02
    assert spreads.min() > 0.05 - 0.01
    assert spreads.max() < 0.3 + 0.01


def test_a_jigsaw_with_edges_has_a_colour_for_each_piece() -> None:
    images = jigsaw_pieces((3, 48, 48), 40, np.random.default_rng(0))
    colours = [len(torch.unique(image.flatten(1), dim=1).T) for image in images]
    edges = [n for n in colours if n <= 16 * 16]
    assert 10 <= len(edges) <= 30
    assert min(edges) >= 2 * 2


def test_dead_leaves_hide_one_another_and_small_ones_are_frequent() -> None:
    (image,) = dead_leaves((1, 256, 256), 1, np.random.default_rng(0))
    _, areas = torch.unique(image, return_counts=True)
    assert len(areas) <= 256
    # A plane of white noise has next to no neighbours of equal colour; here nearly all are.
    assert (image[0, :, 1:] == image[0, :, :-1]).float().mean() > 0.9
