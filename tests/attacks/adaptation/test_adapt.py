"""Photographs adapted to a classifier."""

import math

import pytest
import torch
from torch import nn

from attack_runs import Remembering, rng
from oracles import as_classifier, grey_photographs
from straylight.attacks.adaptation.adapt import Adaptation
from straylight.core.errors import InputError
from straylight.data.images import ImageSet


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
