"""Photographs adapted to a classifier: each part against a closed form, and what all of it finds."""

import math

import pytest
import torch
from torch import nn

from oracles import as_classifier, grey_photographs
from straylight.errors import InputError
from straylight.images import ImageSet
from straylight.surrogates import Adaptation
from straylight.surrogates.moments import Moments
from straylight.surrogates.style import Style, rings
from straylight.surrogates.views import crop, views
from straylight.tensors import Shape

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
    torch.testing.assert_close(Style(shape)(images), images)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (128, 96)], ids=str)
def test_rings_share_every_frequency_but_the_mean(size: tuple[int, int]) -> None:
    weights = rings(*size, bands=8)
    total = weights.sum(-1)
    assert total[0, 0] == 0
    total[0, 0] = 1
    torch.testing.assert_close(total, torch.ones_like(total))


def test_a_style_scales_a_wave_by_the_gain_of_its_ring() -> None:
    """One cycle an image is the centre of the first ring."""
    style = Style((1, 16, 16))
    with torch.no_grad():
        style.log_gains[0] = math.log(0.5)
        style.offset[0] = 0.1
    wave = torch.cos(2 * math.pi * torch.arange(16) / 16).expand(1, 1, 16, 16)
    torch.testing.assert_close(
        style(0.4 + 0.2 * wave).detach(), 0.5 + 0.1 * wave, atol=1e-6, rtol=0
    )


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
    assert found.distance_before is not None
    assert found.distance_after is not None
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


def test_without_a_batch_norm_the_views_stay_as_they_are() -> None:
    class Level(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3))[:, :2]

    photographs = grey_photographs(20, (3, 8, 8))
    settings = Adaptation(n=30, steps=4, smallest_crop=1.0, mix=0.0)
    found = settings(as_classifier(Level(), (3, 8, 8)), photographs, generator=rng())
    assert found.distance_before is found.distance_after is found.style is None
    known = photographs.pixels.int()
    known = torch.cat([known, known.flip(3)])
    distance = (found.images.pixels.int()[:, None] - known).abs().amax((2, 3, 4))
    assert int(distance.amin(1).max()) == 0


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
