"""Procedural noise against what its makers promise."""

import pytest
import torch

from attack_runs import rng
from straylight.attacks.procedural_noise import gabor_noise, lattice_noise, perlin_noise


def test_perlin_noise_is_zero_on_its_lattice() -> None:
    noise = lattice_noise(33, 41, 8.0, rng())
    torch.testing.assert_close(noise[::8, ::8], torch.zeros(5, 6))
    assert 0.2 < float(noise.abs().max()) <= 0.5**0.5
    assert perlin_noise(33, 41, 8.0, rng()).shape == (33, 41)


def test_gabor_noise_has_its_wavelength() -> None:
    power = torch.fft.rfft2(gabor_noise(128, 128, 8.0, rng())).abs().square()
    radius = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128)[None, :])
    assert float((power * radius).sum() / power.sum()) == pytest.approx(1 / 8, rel=0.15)
