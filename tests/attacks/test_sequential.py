"""The paper's algorithm against its closed form and its released script."""

import pytest
import torch

from attack_runs import SHAPES, last, rng
from oracles import balanced_tiny, grey_photographs, linear_problem
from straylight.attacks.ball import Ball
from straylight.attacks.sequential import Sequential
from straylight.core.conventions import Shape
from straylight.models.pass_counter import count_passes


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("target", [None, 0])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_sequential_is_the_projected_sign_step_on_a_linear_classifier(
    shape: Shape, target: int | None, norm: str
) -> None:
    classifier, photographs, linear = linear_problem(shape)
    # One step that flips every photograph: the first is accepted, and no other is needed.
    step_size = 0.5 / float(linear.weight.abs().sum())
    ball = Ball(norm, 0.8 * step_size * (linear.weight.numel() ** 0.5 if norm == "l2" else 1))  # type: ignore[arg-type]
    delta = last(Sequential(step_size=step_size), classifier, photographs, ball, target)
    torch.testing.assert_close(delta, -0.8 * step_size * linear.weight.sign()[None])


@pytest.mark.parametrize("target", [None, 2])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_sequential_is_the_paper_loop_line_by_line(norm: str, target: int | None) -> None:
    """An independent transcription of the released script, in its own [-1, 1] units."""
    shape = (3, 8, 8)
    photographs = grey_photographs(40, shape)
    classifier = balanced_tiny(photographs, 4)
    network = classifier.network
    eps, xi = 0.004, 0.4 if norm == "l2" else 0.03
    x = photographs.images(slice(None)) * 2 - 1

    def f(batch: torch.Tensor) -> torch.Tensor:
        return network((batch + 1) / 2)

    noise = torch.zeros(1, *shape)
    orders = rng()
    accepted = 0
    y = f(x).argmax(1)
    for _ in range(2):
        for i in torch.randperm(len(x), generator=orders).tolist():
            current = f(x[[i]] + noise).argmax(1)
            if (target is None and current != y[i]) or (target is not None and current == target):
                continue
            adv = (x[[i]] + noise).clone().requires_grad_(True)
            label = current if target is None else torch.tensor([target])
            torch.nn.functional.cross_entropy(f(adv), label).backward()
            sign = adv.grad.sign() * (1 if target is None else -1)
            candidate = adv.detach() + eps * sign
            new = f(candidate).argmax(1)
            if (target is None and new != current) or (target is not None and new == target):
                accepted += 1
                noise = candidate - x[[i]]
                if norm == "l2":
                    noise = noise * min(1.0, xi / (float(noise.norm()) + 1e-7))
                else:
                    noise = noise.clamp(-xi, xi)
    assert accepted > 5
    ball = Ball(norm, xi / 2)  # type: ignore[arg-type]
    mine = last(Sequential(step_size=eps / 2, epochs=2), classifier, photographs, ball, target)
    torch.testing.assert_close(mine * 2, noise, atol=1e-5, rtol=0)


def test_sequential_makes_the_passes_of_the_paper() -> None:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=20)
    attack = Sequential(step_size=1e-9)  # no step ever flips: all 20 stay unfooled
    with count_passes(classifier) as passes:
        last(attack, classifier, photographs, Ball("l2", 1.0))
    assert (passes.forward, passes.backward) == (20 + 2 * 20, 20)
