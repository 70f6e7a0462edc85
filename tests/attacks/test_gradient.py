"""The main attack against the closed form."""

from pathlib import Path

import numpy as np
import pytest
import torch

from attack_runs import SHAPES, fooled, last, rng
from oracles import linear_problem
from straylight.attacks.ball import Ball
from straylight.attacks.gradient import Gradient
from straylight.core.conventions import Norm, Shape
from straylight.models.pass_counter import count_passes


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("target", [None, 0])
def test_gradient_finds_the_best_linf_perturbation_of_a_linear_classifier(
    shape: Shape, target: int | None
) -> None:
    classifier, photographs, linear = linear_problem(shape)
    ball = Ball("linf", 0.2 / float(linear.weight.abs().sum()))
    delta = last(Gradient(steps=60, batch_size=7), classifier, photographs, ball, target)
    torch.testing.assert_close(delta, -ball.eps * linear.weight.sign()[None])
    margins = linear.margin(photographs.images(slice(None)))
    reachable = ball.eps * float(linear.weight.abs().sum())
    assert fooled(classifier, photographs, delta) == float((margins < reachable).float().mean())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("target", [None, 0])
def test_gradient_finds_the_best_l2_perturbation_of_a_linear_classifier(
    shape: Shape, target: int | None
) -> None:
    classifier, photographs, linear = linear_problem(shape)
    length = float(linear.weight.norm())
    ball = Ball("l2", 0.2 / length)
    delta = last(Gradient(steps=60, batch_size=7), classifier, photographs, ball, target)
    torch.testing.assert_close(delta, -ball.eps * linear.weight[None] / length)
    margins = linear.margin(photographs.images(slice(None)))
    assert fooled(classifier, photographs, delta) == float((margins < 0.2).float().mean())


def test_gradient_makes_one_forward_and_one_backward_a_draw() -> None:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=20)
    with count_passes(classifier) as passes:
        last(Gradient(steps=3, batch_size=7), classifier, photographs, Ball("l2", 1.0))
    assert (passes.forward, passes.backward) == (20 + 21, 21)


def test_gradient_labels_no_more_photographs_than_its_steps_may_look_at() -> None:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=20)
    with count_passes(classifier) as passes:
        last(Gradient(steps=2, batch_size=7), classifier, photographs, Ball("l2", 1.0))
    assert (passes.forward, passes.backward) == (14 + 14, 14)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_one_step_finds_the_best_perturbation_of_a_linear_classifier(norm: Norm) -> None:
    classifier, photographs, linear = linear_problem((3, 8, 8))
    weight = linear.weight[None]
    way = weight.sign() if norm == "linf" else weight / weight.norm()
    delta = last(Gradient(steps=1), classifier, photographs, Ball(norm, 0.01))
    torch.testing.assert_close(delta, -0.01 * way)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_warm_start_goes_on_from_where_it_ended(norm: Norm, tmp_path: Path) -> None:
    classifier, photographs, linear = linear_problem((3, 8, 8))
    ball = Ball(norm, 0.01)
    start = ball.scale(torch.randn(1, 3, 8, 8, generator=rng()))
    np.save(tmp_path / "start.npy", start.numpy())
    weight = linear.weight[None]
    way = weight.sign() if norm == "linf" else weight / weight.norm()
    delta = last(
        Gradient(steps=1, start=str(tmp_path / "start.npy")), classifier, photographs, ball
    )
    torch.testing.assert_close(delta, ball.project(start - 0.01 * way))


@pytest.mark.parametrize("loss", ["cross-entropy", "cosine"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_other_losses_find_the_best_perturbation_of_a_linear_classifier(
    norm: str, loss: str
) -> None:
    classifier, photographs, linear = linear_problem((3, 7, 9))
    weight = linear.weight[None]
    if norm == "l2":
        ball = Ball("l2", 0.2 / float(weight.norm()))
        best = -ball.eps * weight / weight.norm()
    else:
        ball = Ball("linf", 0.2 / float(weight.abs().sum()))
        best = -ball.eps * weight.sign()
    # The cosine of (0, m) with another such is flat until the margin m changes its sign.
    if loss == "cosine":
        classifier.network = Offset(linear)
    delta = last(Gradient(steps=60, batch_size=7, loss=loss), classifier, photographs, ball)
    # The angle grows both ways, and a random nudge decides which: no label says where to go.
    way = -1 if loss == "cosine" and float((delta * best).sum()) < 0 else 1
    torch.testing.assert_close(way * delta, best)


class Offset(torch.nn.Module):
    """The logits of a linear classifier away from the origin, so that their angle changes."""

    def __init__(self, linear: torch.nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(images) + torch.tensor([1.0, 0.0])
        return logits
