"""The style transform against closed forms."""

import math

import pytest
import torch

from attack_runs import SHAPES, rng
from straylight.attacks.adaptation.style import StyleTransform, ring_weights
from straylight.core.conventions import Shape


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_style_begins_as_the_identity(shape: Shape) -> None:
    images = torch.rand(4, *shape, generator=rng())
    torch.testing.assert_close(StyleTransform(shape)(images, torch.zeros_like(images)), images)
    noise = torch.rand(4, *shape, generator=rng(1)) * 2 - 1
    assert float((StyleTransform(shape)(images, noise) - images).abs().max().detach()) <= 2 / 255


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (128, 96)], ids=str)
def test_rings_share_every_frequency_but_the_mean(size: tuple[int, int]) -> None:
    weights = ring_weights(*size, bands=8)
    total = weights.sum((-2, -1))
    assert total[0, 0] == 0
    total[0, 0] = 1
    torch.testing.assert_close(total, torch.ones_like(total))


def test_a_style_scales_a_wave_by_the_gain_of_its_ring_and_direction() -> None:
    """One cycle an image is the centre of the first ring."""
    style = StyleTransform((1, 16, 16))
    with torch.no_grad():
        style.log_gains[0, 0] = math.log(0.5)
        style.log_gains[1, 0] = math.log(0.25)
        style.offset[0] = 0.1
    across = torch.cos(2 * math.pi * torch.arange(16) / 16).expand(1, 1, 16, 16)
    down = across.transpose(2, 3)
    none = torch.zeros(1, 1, 16, 16)
    for wave, gain in ((down, 0.5), (across, 0.25)):
        found = style(0.4 + 0.2 * wave, none).detach()
        torch.testing.assert_close(found, 0.5 + gain * 0.2 * wave, atol=1e-6, rtol=0)
    # Down and across alike: the squares of both halves, so the mean of the two logarithms.
    diagonal = torch.cos(2 * math.pi * (torch.arange(16)[:, None] + torch.arange(16)) / 16)[
        None, None
    ]
    with torch.no_grad():
        style.log_gains[:] = torch.tensor([[math.log(0.5)], [math.log(0.25)]])
    found = style(0.4 + 0.2 * diagonal, none).detach()
    torch.testing.assert_close(found, 0.5 + 0.125**0.5 * 0.2 * diagonal, atol=1e-6, rtol=0)


def test_the_noise_of_a_style_has_its_strengths() -> None:
    style = StyleTransform((1, 64, 64))
    with torch.no_grad():
        style.log_noise[:] = torch.tensor([0.02, 0.05]).log()
    noise = torch.randn(50, 1, 64, 64, generator=rng())
    for level in (0.3, 0.6):
        found = style(torch.full((50, 1, 64, 64), level), noise).detach()
        assert float(found.std()) == pytest.approx(0.02 + 0.05 * level, rel=0.01)
        assert float(found.mean()) == pytest.approx(level, abs=1e-3)
