"""Random views of photographs."""

import torch

from attack_runs import rng
from oracles import grey_photographs
from straylight.attacks.adaptation.views import random_resized_crop, random_views
from straylight.data.images import ImageSet


def test_whole_views_are_photographs_or_their_mirror_images() -> None:
    photographs = grey_photographs(5, (3, 6, 8))
    found = random_views(photographs, 40, smallest_crop=1.0, mix=0.0, generator=rng())
    known = photographs.images(slice(None))
    known = torch.cat([known, known.flip(3)])
    distance = (found[:, None] - known).abs().amax((2, 3, 4))
    assert float(distance.amin(1).max()) < 1e-5
    assert len(distance.argmin(1).unique()) == 10


def test_crops_keep_the_share_of_the_area_that_they_may() -> None:
    """The slope of a cropped ramp is the share of the side that was kept."""
    ramp = torch.linspace(0, 1, 64).expand(200, 1, 64, 64)
    slope = (
        random_resized_crop(ramp, 0.25, rng())[:, 0, 32, 40]
        - random_resized_crop(ramp, 0.25, rng())[:, 0, 32, 24]
    ).abs()
    side = slope * 63 / 16
    assert 0.5 <= float(side.min()) < 0.55
    assert 0.95 < float(side.max()) <= 1.0 + 1e-5


def test_the_second_photograph_of_a_mix_has_at_most_its_share() -> None:
    pixels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    pixels[1] = 255
    found = random_views(ImageSet(pixels, "x"), 400, smallest_crop=1.0, mix=0.3, generator=rng())
    levels = found[:, 0, 0, 0]
    assert not bool(((levels > 0.3 + 1e-6) & (levels < 0.7 - 1e-6)).any())
    assert bool(((levels > 0.2) & (levels <= 0.3)).any())
