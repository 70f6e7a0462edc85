"""Photographs adapted to a classifier: each part against a closed form, and what all of it finds."""

import math

import pytest
import torch
from torch import nn

from oracles import as_classifier, grey_photographs
from straylight.attacks.adaptation.adapt import Adaptation
from straylight.attacks.adaptation.information import indecision
from straylight.attacks.adaptation.statistics import Moments
from straylight.attacks.adaptation.style import Style, rings
from straylight.attacks.adaptation.views import crop, views
from straylight.core.errors import InputError
from straylight.core.tensors import Shape
from straylight.data.images import ImageSet

SHAPES: list[Shape] = [(1, 8, 8), (3, 8, 8), (3, 7, 9)]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Remembering(nn.Module):
    """A batch norm right behind the pixels: it remembers the colours of its images."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        level = self.norm(images).mean((1, 2, 3))
        return torch.stack([-level, level], 1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_style_begins_as_the_identity(shape: Shape) -> None:
    images = torch.rand(4, *shape, generator=rng())
    torch.testing.assert_close(Style(shape)(images, torch.zeros_like(images)), images)
    noise = torch.rand(4, *shape, generator=rng(1)) * 2 - 1
    assert float((Style(shape)(images, noise) - images).abs().max().detach()) <= 2 / 255


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (128, 96)], ids=str)
def test_rings_share_every_frequency_but_the_mean(size: tuple[int, int]) -> None:
    weights = rings(*size, bands=8)
    total = weights.sum((-2, -1))
    assert total[0, 0] == 0
    total[0, 0] = 1
    torch.testing.assert_close(total, torch.ones_like(total))


def test_a_style_scales_a_wave_by_the_gain_of_its_ring_and_direction() -> None:
    """One cycle an image is the centre of the first ring."""
    style = Style((1, 16, 16))
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
    style = Style((1, 64, 64))
    with torch.no_grad():
        style.log_noise[:] = torch.tensor([0.02, 0.05]).log()
    noise = torch.randn(50, 1, 64, 64, generator=rng())
    for level in (0.3, 0.6):
        found = style(torch.full((50, 1, 64, 64), level), noise).detach()
        assert float(found.std()) == pytest.approx(0.02 + 0.05 * level, rel=0.01)
        assert float(found.mean()) == pytest.approx(level, abs=1e-3)


def test_moments_are_the_formula() -> None:
    classifier = as_classifier(Remembering(1), (1, 4, 4))
    norm = classifier.network.norm
    norm.running_mean.fill_(0.25)
    norm.running_var.fill_(0.01)
    images = torch.tensor([0.3, 0.7]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    with Moments(classifier, 1) as moments:
        classifier(images)
    expected = (0.5 - 0.25) ** 2 / 0.01 + math.log(0.04 / 0.01) ** 2 / 2
    assert float(moments.distance()) == pytest.approx(expected, rel=2e-3)  # the layer's own eps


def test_moments_of_the_images_that_a_batch_norm_was_trained_on_are_at_no_distance() -> None:
    """Against torch's own running statistics, taken over one whole batch."""
    network = Remembering(3)
    network.norm.momentum = 1.0
    images = torch.rand(16, 3, 8, 8, generator=rng())
    network.train()(images)
    classifier = as_classifier(network, (3, 8, 8))
    with Moments(classifier, 5) as moments:
        classifier(images)
    assert float(moments.distance()) < 1e-6
    assert not network.norm._forward_pre_hooks


def test_whole_views_are_photographs_or_their_mirror_images() -> None:
    photographs = grey_photographs(5, (3, 6, 8))
    found = views(photographs, 40, smallest_crop=1.0, mix=0.0, generator=rng())
    known = photographs.images(slice(None))
    known = torch.cat([known, known.flip(3)])
    distance = (found[:, None] - known).abs().amax((2, 3, 4))
    assert float(distance.amin(1).max()) < 1e-5
    assert len(distance.argmin(1).unique()) == 10


def test_crops_keep_the_share_of_the_area_that_they_may() -> None:
    """The slope of a cropped ramp is the share of the side that was kept."""
    ramp = torch.linspace(0, 1, 64).expand(200, 1, 64, 64)
    slope = (crop(ramp, 0.25, rng())[:, 0, 32, 40] - crop(ramp, 0.25, rng())[:, 0, 32, 24]).abs()
    side = slope * 63 / 16
    assert 0.5 <= float(side.min()) < 0.55
    assert 0.95 < float(side.max()) <= 1.0 + 1e-5


def test_the_second_photograph_of_a_mix_has_at_most_its_share() -> None:
    pixels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    pixels[1] = 255
    found = views(ImageSet(pixels, "x"), 400, smallest_crop=1.0, mix=0.3, generator=rng())
    levels = found[:, 0, 0, 0]
    assert not bool(((levels > 0.3 + 1e-6) & (levels < 0.7 - 1e-6)).any())
    assert bool(((levels > 0.2) & (levels <= 0.3)).any())


@pytest.mark.parametrize("channels", [1, 3])
def test_adaptation_finds_the_colours_that_the_classifier_remembers(channels: int) -> None:
    photographs = grey_photographs(40, (channels, 8, 8))
    network = Remembering(channels)
    mean = torch.tensor([0.7, 0.5, 0.3])[:channels]
    network.norm.running_mean.copy_(mean)
    network.norm.running_var.fill_(0.004)
    classifier = as_classifier(network, (channels, 8, 8))
    settings = Adaptation(n=250, steps=150, smallest_crop=1.0, mix=0.0)
    told = []
    found = settings(classifier, photographs, generator=rng(), advance=told.append)
    assert sum(told) == 150 * 24
    assert found.images.pixels.shape == (250, channels, 8, 8)
    pixels = found.images.pixels.double() / 255
    torch.testing.assert_close(pixels.mean((0, 2, 3)).float(), mean, atol=0.01, rtol=0)
    assert pixels.var((0, 2, 3)).tolist() == pytest.approx([0.004] * channels, rel=0.15)
    assert found.statistic == "moments"
    assert found.distance_before > 1
    assert found.distance_after < 0.05


def test_adaptation_is_the_same_for_a_seed_and_changes_no_classifier() -> None:
    photographs = grey_photographs(20, (3, 7, 9))
    classifier = as_classifier(Remembering(3), (3, 7, 9))
    before = classifier.sha256
    settings = Adaptation(n=30, steps=4, batch_size=5)
    first, second = (settings(classifier, photographs, generator=rng()) for _ in range(2))
    assert torch.equal(first.images.pixels, second.images.pixels)
    assert classifier.sha256 == before
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_indecision_is_the_formula() -> None:
    p = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]], dtype=torch.float64)
    mean = p.mean(0)
    unsure = -(p * p.log()).sum(1).mean()
    expected = unsure + math.log(3) + (mean * mean.log()).sum()
    assert float(indecision(p.log().float())) == pytest.approx(float(expected), rel=1e-5)
    logits = torch.randn(5, 4, generator=rng(), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(indecision, (logits,))


def test_without_a_batch_norm_the_style_seeks_where_the_classifier_decides() -> None:
    class Level(nn.Module):
        """Light images are class 1, dark ones class 0; the border is at 0.75."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            level = 60 * (images.mean((1, 2, 3)) - 0.75)
            return torch.stack([-level, level], 1)

    generator = rng()
    levels = torch.randint(90, 150, (60, 1, 1, 1), generator=generator, dtype=torch.uint8)
    photographs = ImageSet(levels.expand(60, 1, 8, 8).clone(), "levels")
    classifier = as_classifier(Level(), (1, 8, 8))
    assert classifier.predict_all(photographs).tolist() == [0] * 60
    found = Adaptation(n=200, steps=150)(classifier, photographs, generator=generator)
    assert found.statistic == "indecision"
    assert found.distance_before == pytest.approx(math.log(2), abs=1e-3)
    assert found.distance_after < 0.3
    assert 60 <= int(classifier.predict_all(found.images).sum()) <= 140


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n, steps and layers >= 1"),
        ({"batch_size": 1}, "batch_size >= 2"),
        ({"smallest_crop": 0.0}, r"smallest_crop in \(0, 1\]"),
        ({"mix": 0.6}, r"mix in \[0, 1/2\]"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Adaptation(**changes)  # type: ignore[arg-type]
