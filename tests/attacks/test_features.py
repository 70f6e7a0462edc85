"""Intermediate features, and what attacks on them refuse."""

import pytest
import torch

from attack_runs import last, rng
from oracles import as_classifier, linear_problem
from straylight.attacks.ball import Ball
from straylight.attacks.disrupt import Disrupt
from straylight.attacks.features import Features
from straylight.attacks.lift import Lift
from straylight.attacks.protocol import Attack
from straylight.core.errors import InputError


def test_features_run_the_network_no_further_than_they_watch() -> None:
    class Never(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise AssertionError("a layer behind the last that is watched was run")

    first, second = torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(2, 2, 3)
    network = torch.nn.Sequential(first, second, Never())
    images = torch.rand(4, 1, 8, 8, generator=rng())
    with Features(as_classifier(network, (1, 8, 8)), 1.0) as features:
        seen = features(images)
    assert [tuple(layer.shape) for layer in seen] == [(4, 2, 6, 6), (4, 2, 4, 4)]
    torch.testing.assert_close(seen[1], second(first(images)))
    assert not first._forward_hooks


@pytest.mark.parametrize("attack", [Lift(steps=1), Disrupt(steps=1)], ids=str)
def test_attacks_on_features_say_what_they_cannot(attack: Attack) -> None:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=20)
    with pytest.raises(InputError, match="has no convolution"):
        last(attack, classifier, photographs, Ball("l2", 1.0))
    with pytest.raises(InputError, match="has no target"):
        last(attack, classifier, photographs, Ball("l2", 1.0), target=1)
