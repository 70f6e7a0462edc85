"""Feature rotation against the closed form."""

import pytest
import torch

from attack_runs import last
from oracles import as_classifier, grey_photographs
from straylight.attacks.ball import Ball
from straylight.attacks.disrupt import Disrupt


def test_disrupt_turns_the_features_of_a_filter_bank() -> None:
    """With features that are the pixels themselves the least cosine is known.

    For one image x and a short budget, the cosine of x and x + d over all d of length eps is least
    where sin(angle) = eps / |x|.
    """
    shape = (1, 4, 4)
    identity = torch.nn.Conv2d(1, 1, 1, bias=False)
    torch.nn.init.ones_(identity.weight)

    class Pixels(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = identity

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.conv(images).flatten(1)[:, :2]

    photographs = grey_photographs(1, shape)
    image = photographs.images(slice(None))
    ball = Ball("l2", 0.3)
    attack = Disrupt(steps=200, batch_size=2)
    delta = last(attack, as_classifier(Pixels(), shape), photographs, ball)
    found = torch.cosine_similarity(image.flatten(1), (image + delta).flatten(1)).item()
    least = (1 - (ball.eps / float(image.norm())) ** 2) ** 0.5
    assert found == pytest.approx(least, abs=2e-4)
