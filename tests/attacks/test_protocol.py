"""What all attacks promise."""

import itertools

import pytest
import torch

from attack_runs import QUICK, SHAPES, last, rng
from oracles import balanced_tiny, grey_photographs
from straylight.attacks.ball import Ball
from straylight.attacks.protocol import Attack
from straylight.core.conventions import Shape


@pytest.mark.parametrize(
    ("attack", "norm", "shape", "target"),
    [
        case
        for case in itertools.product(QUICK, ["l2", "linf"], SHAPES, [None, 1])
        if case[0].takes_target or case[3] is None
    ],
    ids=str,
)
def test_every_attack_keeps_its_promises(
    attack: Attack, norm: str, shape: Shape, target: int | None
) -> None:
    photographs = grey_photographs(50, shape)
    classifier = balanced_tiny(photographs, 3)
    before = photographs.pixels.clone()
    ball = Ball(norm, 0.3 if norm == "l2" else 0.02)  # type: ignore[arg-type]
    snapshots = list(attack(classifier, photographs, ball, target=target, generator=rng()))
    for delta, _ in snapshots:
        assert delta.shape == (1, *shape)
        assert delta.dtype == torch.float32
        assert ball.size(delta) <= ball.eps * (1 + 1e-5)
    assert snapshots[-1].images_seen == attack.planned(50, 3)
    assert torch.equal(snapshots[-1].delta, last(attack, classifier, photographs, ball, target))
    assert torch.equal(photographs.pixels, before)
