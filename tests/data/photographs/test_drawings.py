"""Drawings in the place of photographs, and procedural noise, against what their makers promise."""

import numpy as np
import pytest
import torch

from straylight.attacks.ball import Ball
from straylight.attacks.controls import Gabor, Perlin
from straylight.attacks.procedural_noise import gabor, lattice, perlin
from straylight.core.errors import InputError
from straylight.core.tensors import Shape
from straylight.data.photographs.drawings import DRAWINGS, dead_leaves, gaussian_noise, jigsaw
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
    images = jigsaw((3, 48, 48), 40, np.random.default_rng(0))
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


def test_perlin_noise_is_zero_on_its_lattice() -> None:
    noise = lattice(33, 41, 8.0, rng())
    torch.testing.assert_close(noise[::8, ::8], torch.zeros(5, 6))
    assert 0.2 < float(noise.abs().max()) <= 0.5**0.5
    assert perlin(33, 41, 8.0, rng()).shape == (33, 41)


def test_gabor_noise_has_its_wavelength() -> None:
    power = torch.fft.rfft2(gabor(128, 128, 8.0, rng())).abs().square()
    radius = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128)[None, :])
    assert float((power * radius).sum() / power.sum()) == pytest.approx(1 / 8, rel=0.15)


@pytest.mark.parametrize("control", [Perlin(), Gabor()], ids=["perlin", "gabor"])
def test_procedural_controls_fill_the_ball_and_are_grey(control: Perlin | Gabor) -> None:
    reference = torch.zeros(1, 3, 40, 32)
    delta = control(reference, Ball("linf", 0.1), generator=rng())
    assert delta.unique().tolist() == pytest.approx([-0.1, 0.1])
    delta = control(reference, Ball("l2", 2.0), generator=rng())
    assert float(delta.norm()) == pytest.approx(2.0, rel=1e-5)
    assert torch.equal(delta[:, 0], delta[:, 2])
