"""Gradient aggregation against its closed form and its algorithm box."""

import pytest
import torch

from attack_runs import SHAPES, last, rng
from oracles import balanced_tiny, grey_photographs, linear_problem
from straylight.attacks.ball import Ball
from straylight.attacks.sga import Sga
from straylight.core.conventions import Shape


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("target", [None, 0])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_sga_finds_the_best_perturbation_of_a_linear_classifier(
    norm: str, shape: Shape, target: int | None
) -> None:
    classifier, photographs, linear = linear_problem(shape)
    weight = linear.weight[None]
    if norm == "l2":
        ball = Ball("l2", 0.2 / float(weight.norm()))
        best = -ball.eps * weight / weight.norm()
    else:
        ball = Ball("linf", 0.2 / float(weight.abs().sum()))
        best = -ball.eps * weight.sign()
    delta = last(Sga(epochs=5, outer=20, inner=5, rounds=1), classifier, photographs, ball, target)
    torch.testing.assert_close(delta, best)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_sga_is_the_algorithm_box_line_by_line(norm: str) -> None:
    photographs = grey_photographs(6, (3, 8, 8))
    classifier = balanced_tiny(photographs, 3)
    ball = Ball(norm, 0.5 if norm == "l2" else 0.02)  # type: ignore[arg-type]
    delta = last(Sga(epochs=1, outer=4, inner=2, rounds=1), classifier, photographs, ball)
    draws = rng()
    images = photographs.images(slice(None))
    labels = classifier.predict(images)

    def move(d: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        way = g.sign() if norm == "linf" else g / g.norm()
        return ball.project(d + 0.1 * ball.eps * way)

    expected = torch.zeros(1, 3, 8, 8)
    order = torch.randperm(6, generator=draws)
    for outer in (order[:4], order[4:]):
        ahead, total = expected, torch.zeros(1, 3, 8, 8)
        for _ in range(len(outer) // 2):
            chosen = outer[torch.randint(len(outer), (2,), generator=draws)]
            ahead = ahead.detach().requires_grad_()
            logits = classifier(images[chosen] + ahead)
            bounded = torch.nn.functional.cross_entropy(logits, labels[chosen], reduction="none")
            bounded.clamp(max=9).mean().backward()
            total = total + ahead.grad
            ahead = move(ahead.detach(), ahead.grad)
        expected = move(expected, total)
    torch.testing.assert_close(delta, expected)
