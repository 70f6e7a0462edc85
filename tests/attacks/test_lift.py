"""Layer lifting against the closed form."""

import pytest
import torch

from attack_runs import SHAPES, last, rng
from oracles import as_classifier, grey_photographs
from straylight.attacks.ball import Ball
from straylight.attacks.lift import Lift
from straylight.core.conventions import Shape


class OneFilter(torch.nn.Module):
    """A convolution as large as the image, with one filter: its output is one product."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(weight.shape[1], 1, weight.shape[2:], bias=False)
        self.conv.weight = torch.nn.Parameter(weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.conv(images).flatten(1)
        return torch.cat([found, -found], 1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_lift_finds_the_perturbation_that_a_filter_answers_to_most(norm: str, shape: Shape) -> None:
    """Photographs at mid-grey with a positive sum of weights: the best is along the weights."""
    weight = torch.randn(1, *shape, generator=rng(3)) + 0.5
    classifier = as_classifier(OneFilter(weight), shape)
    ball = Ball(norm, 0.5 if norm == "l2" else 0.05)  # type: ignore[arg-type]
    photographs = grey_photographs(20, shape)
    delta = last(Lift(steps=60, batch_size=7), classifier, photographs, ball)
    best = ball.eps * weight.sign() if norm == "linf" else ball.scale(weight)
    torch.testing.assert_close(delta, best)
