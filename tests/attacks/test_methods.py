"""Every attack against the closed form, and what all attacks promise."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oracles import as_classifier, balanced_tiny, grey_photographs, linear_problem
from straylight.attacks.auto import Auto, expected_fooling, hold_out
from straylight.attacks.ball import Ball
from straylight.attacks.catalogue import ATTACKS, CONTROLS
from straylight.attacks.controls import Control, PhaseRandomised, RandomSign, RandomSphere
from straylight.attacks.descent import descend
from straylight.attacks.disrupt import Disrupt
from straylight.attacks.features import Features
from straylight.attacks.gradient import Gradient
from straylight.attacks.lift import Lift
from straylight.attacks.losses import cosine_loss, cross_entropy_loss, margin, margin_loss
from straylight.attacks.method import Method
from straylight.attacks.methods import describe, parse_method
from straylight.attacks.protocol import Attack
from straylight.attacks.sequential import Sequential
from straylight.attacks.sga import Sga
from straylight.core.errors import InputError
from straylight.core.norms import Norm
from straylight.core.tensors import Delta, Shape, as_received
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier, count_passes

SHAPES: list[Shape] = [(1, 8, 8), (3, 8, 8), (3, 7, 9)]
# 50 photographs and batches of 7 leave a ragged last batch of predictions and of draws.
QUICK: list[Attack] = [
    Gradient(steps=40, batch_size=7),
    Sequential(step_size=0.01, passes=2),
    Auto(passes=700, batch_size=7),
    Sga(epochs=2, outer=20, inner=5, rounds=2),
    Lift(steps=6, batch_size=7),
    Disrupt(steps=6, batch_size=7),
]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def last(
    attack: Attack,
    classifier: Classifier,
    photographs: ImageSet,
    ball: Ball,
    target: int | None = None,
) -> Delta:
    *_, snapshot = attack(classifier, photographs, ball, target=target, generator=rng())
    return snapshot.delta


def fooled(classifier: Classifier, photographs: ImageSet, delta: Delta) -> float:
    images = photographs.images(slice(None))
    changed = classifier.predict(images + delta) != classifier.predict(images)
    return float(changed.float().mean())


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
    mine = last(Sequential(step_size=eps / 2, passes=2), classifier, photographs, ball, target)
    torch.testing.assert_close(mine * 2, noise, atol=1e-5, rtol=0)


def test_sequential_makes_the_passes_of_the_paper() -> None:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=20)
    attack = Sequential(step_size=1e-9)  # no step ever flips: all 20 stay unfooled
    with count_passes(classifier) as passes:
        last(attack, classifier, photographs, Ball("l2", 1.0))
    assert (passes.forward, passes.backward) == (20 + 2 * 20, 20)


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


def test_l2_steps_are_those_of_torch_on_normalised_gradients() -> None:
    photographs, ball, n = grey_photographs(20, (1, 8, 8)), Ball("l2", 0.7), 12
    curvature = torch.rand(1, 1, 8, 8, generator=rng())

    def loss(batch: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        images = photographs.images(batch)
        return (curvature * (images + delta - 0.3).square()).sum((1, 2, 3)).mean()

    found = [
        snapshot.delta
        for snapshot in descend(
            loss, photographs, ball, steps=n, batch_size=5, generator=rng(), start=None
        )
    ]
    generator, delta = rng(), torch.zeros(1, 1, 8, 8, requires_grad=True)
    optimiser = torch.optim.SGD([delta], lr=ball.eps, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n, eta_min=ball.eps / 20)
    for expected in found:
        optimiser.zero_grad()
        loss(torch.randint(20, (5,), generator=generator), delta).backward()  # type: ignore[no-untyped-call]
        assert delta.grad is not None
        delta.grad /= delta.grad.norm()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            delta.mul_(min(1.0, ball.eps / float(delta.norm())))
        torch.testing.assert_close(expected, delta.detach())


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


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_auto_finds_the_best_perturbation_of_a_linear_classifier(norm: str, shape: Shape) -> None:
    """All photographs are class 1: of the three goals, only those away from it fool any."""
    classifier, photographs, linear = linear_problem(shape)
    weight = linear.weight[None]
    if norm == "l2":
        ball = Ball("l2", 0.2 / float(weight.norm()))
        best = -ball.eps * weight / weight.norm()
    else:
        ball = Ball("linf", 0.2 / float(weight.abs().sum()))
        best = -ball.eps * weight.sign()
    delta = last(Auto(passes=4000, batch_size=7), classifier, photographs, ball)
    torch.testing.assert_close(delta, best)


def test_auto_chooses_by_the_rate_that_it_may_expect() -> None:
    class Levels(torch.nn.Module):
        """Class 0 for dark images, 1 for light ones, and 2 for none of these photographs."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            level = images.amax((1, 2, 3))
            return torch.stack([0.45 - level, level - 0.45, level - 0.55], 1).mul(
                torch.tensor([1.0, 1.0, 2.0])
            )

    pixels = torch.full((10, 1, 4, 4), 100, dtype=torch.uint8)
    pixels[8:] = 130
    photographs = ImageSet(pixels, "two levels")
    classifier = as_classifier(Levels(), (1, 4, 4), 3)
    before = classifier.logits_all(photographs)
    assert before.argmax(1).tolist() == [0] * 8 + [1] * 2
    weights = [(0.8 + 1 / 3) / 2, (0.2 + 1 / 3) / 2, (0.0 + 1 / 3) / 2]
    lighter = torch.full((1, 1, 4, 4), 0.12)  # 30.6 grey levels, so 31 as received
    found = expected_fooling(classifier, photographs, before, lighter, 0.2)
    # Of class 0 the margin falls by 62 levels, beyond all that is counted. Of class 1 it was 2 (130 -
    # 114.75) levels and is then, to class 2, 140.25 less 161, counted with class 2's slope of two.
    fall = 2 * (130 - 114.75) - ((161 - 114.75) - 2 * (161 - 140.25))
    assert found == pytest.approx(weights[0] + weights[1] * fall / 255 / 0.2, abs=1e-5)
    # Less light lowers the margin of class 2, to which no photograph belongs: over all, by 3 a level
    # against class 1, and from class 0 by one a level.
    darker = torch.full((1, 1, 4, 4), -20 / 255)
    found = expected_fooling(classifier, photographs, before, darker, 0.5)
    light = (2 * (130 - 140.25) - (130 - 114.75)) - (2 * (110 - 140.25) - (114.75 - 110))
    dark = (2 * (100 - 140.25) - (114.75 - 100)) - (2 * (80 - 140.25) - (114.75 - 80))
    of_absent = (8 * dark + 2 * light) / 10
    of_light = 2 * (130 - 114.75) - 2 * (110 - 114.75)
    expected = weights[1] * of_light / 255 / 0.5 + weights[2] * of_absent / 255 / 0.5
    assert found == pytest.approx(expected, abs=1e-5)
    assert expected_fooling(classifier, photographs, before, 0 * darker, 0.2) == 0


def test_auto_learns_on_nothing_that_it_chooses_on() -> None:
    photographs = grey_photographs(47, (1, 8, 8))
    learned, held_out = hold_out(photographs, rng())
    assert (len(learned), len(held_out)) == (43, 4)
    assert learned.digests() | held_out.digests() == photographs.digests()
    assert not learned.digests() & held_out.digests()
    with pytest.raises(InputError, match="at least two photographs"):
        hold_out(grey_photographs(1, (1, 8, 8)), rng())


def test_auto_takes_no_target() -> None:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=20)
    with pytest.raises(InputError, match="chooses its target itself"):
        last(Auto(), classifier, photographs, Ball("l2", 1.0), target=0)


@pytest.mark.parametrize(
    ("n_photographs", "n_classes"), [(50, 3), (1000, 2), (3000, 7), (300, 1000)]
)
def test_auto_keeps_to_its_passes(n_photographs: int, n_classes: int) -> None:
    attack = Auto(passes=8000, batch_size=4)
    goals, trial, final = attack.schedule(n_photographs, n_classes)
    forwards = n_photographs + (goals + 2) * min(200, n_photographs // 10)
    updates = (goals * trial + 2 * final) * 4
    assert 6000 < forwards + 2 * updates <= 8000
    assert 2 <= goals <= n_classes + 1
    assert attack.planned(n_photographs, n_classes) == updates


def test_auto_counts_as_it_plans_and_tries_the_most_frequent_classes() -> None:
    photographs = grey_photographs(50, (1, 8, 8))
    classifier = balanced_tiny(photographs, 6)
    attack = Auto(passes=600, batch_size=7)
    goals, trial, final = attack.schedule(50, 6)
    assert goals < 7
    with count_passes(classifier) as passes:
        last(attack, classifier, photographs, Ball("l2", 0.5))
    assert passes.backward == (goals * trial + 2 * final) * 7
    assert passes.total == 2 * passes.backward + 50 + (goals + 2) * 5 <= 600


def test_auto_says_how_many_passes_it_needs() -> None:
    with pytest.raises(InputError, match=r"give passes=2680 or more") as error:
        Auto(passes=100).schedule(1000, 5)
    needed = int(str(error.value).rpartition("=")[2].split()[0])
    assert Auto(passes=needed).schedule(1000, 5)[0] == 2
    with pytest.raises(InputError):
        Auto(passes=needed - 1).schedule(1000, 5)


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


@pytest.mark.parametrize("attack", [Lift(steps=1), Disrupt(steps=1)], ids=str)
def test_attacks_on_features_say_what_they_cannot(attack: Attack) -> None:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=20)
    with pytest.raises(InputError, match="has no convolution"):
        last(attack, classifier, photographs, Ball("l2", 1.0))
    with pytest.raises(InputError, match="has no target"):
        last(attack, classifier, photographs, Ball("l2", 1.0), target=1)


def test_catalogue_makes_attacks_and_controls() -> None:
    assert all(isinstance(entry.make(), Attack) for entry in ATTACKS.values())
    assert all(isinstance(entry.make(), Control) for entry in CONTROLS.values())


def test_settings_become_text_and_back() -> None:
    assert parse_method("gradient:steps=7,kappa=0.5") == Method(Gradient(steps=7, kappa=0.5))
    assert parse_method("auto") == Method(Auto(), "adapted")
    assert parse_method("auto@photographs:passes=900") == Method(Auto(passes=900))
    assert describe(Sequential(passes=3)) == {
        "name": "sequential",
        "step_size": 0.00025,
        "passes": 3,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deepfool", "there is no attack 'deepfool'"),
        ("gradient:step=3", "gradient has no setting 'step'"),
        (
            "gradient:loss=hinge",
            "there is no loss 'hinge': gradient has margin, cross-entropy, cosine",
        ),
        ("gradient:steps=many", "gradient:steps must be a whole number, not 'many'"),
        ("gradient:steps=0", "gradient needs steps >= 1"),
        ("sequential:step_size=nan", "sequential:step_size must be a number, not 'nan'"),
        ("gradient@skin", "learns on one of photographs, adapted, medical, not 'skin'"),
        ("lift:depth=0", r"lift needs steps >= 1, batch_size >= 1 and depth in \(0, 1\]"),
        ("disrupt:depth=1.5", r"disrupt needs steps >= 1, batch_size >= 1 and depth in \(0, 1\]"),
        ("auto:passes=0", "auto needs passes >= 1"),
        ("auto:batch_size=0", "gradient needs steps >= 1"),
        ("sga:outer=5", "sga needs"),
    ],
)
def test_wrong_methods_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_method(text)


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


@pytest.mark.parametrize("target", [None, 2])
def test_losses_have_the_gradients_of_finite_differences(target: int | None) -> None:
    logits = torch.randn(6, 4, generator=rng(1), dtype=torch.float64, requires_grad=True)
    clean = torch.randn(6, 4, generator=rng(2), dtype=torch.float64)
    for loss in (
        lambda z: margin_loss(z, clean, target, 10.0),
        lambda z: cross_entropy_loss(z, clean, target),
    ):
        assert torch.autograd.gradcheck(loss, (logits,))
    if target is None:
        assert torch.autograd.gradcheck(lambda z: cosine_loss(z, clean, None), (logits,))


def test_bounded_losses_pull_no_more_where_an_image_is_fooled() -> None:
    clean = torch.tensor([[5.0, 0.0, 0.0]])
    fooled = torch.tensor([[0.0, 30.0, 0.0]], requires_grad=True)
    assert margin_loss(fooled, clean, None, 10.0).item() == -10.0
    assert cross_entropy_loss(fooled, clean, None).item() == -9.0
    for found in (margin_loss(fooled, clean, None, 10.0), cross_entropy_loss(fooled, clean, None)):
        (grad,) = torch.autograd.grad(found.sum(), fooled)
        assert not grad.any()
    with pytest.raises(InputError, match="the cosine loss has no target"):
        cosine_loss(fooled, clean, 1)


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_margin_is_own_logit_less_the_best_other(seed: int, n_classes: int) -> None:
    logits = torch.randn(5, n_classes, generator=rng(seed), dtype=torch.float32)
    labels = torch.randint(n_classes, (5,), generator=rng(seed))
    expected = [
        row[label] - max(value for j, value in enumerate(row) if j != label)
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True)
    ]
    torch.testing.assert_close(margin(logits, labels), torch.tensor(expected))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_random_signs_fill_the_ball(norm: str, shape: Shape) -> None:
    ball = Ball(norm, 0.5)  # type: ignore[arg-type]
    delta = RandomSign()(torch.zeros(1, *shape), ball, generator=rng())
    level = 0.5 if norm == "linf" else 0.5 / delta.numel() ** 0.5
    torch.testing.assert_close(delta.abs(), torch.full_like(delta, level))
    assert 0 < float((delta > 0).float().mean()) < 1


def test_random_sphere_has_the_radius_and_the_spread_of_the_paper() -> None:
    reference = torch.zeros(1, 3, 64, 64)
    sphere = RandomSphere()(reference, Ball("l2", 2.0), generator=rng())
    assert float(sphere.norm()) == pytest.approx(2.0, rel=1e-6)
    cube = RandomSphere()(reference, Ball("linf", 0.1), generator=rng())
    assert float(cube.abs().max()) <= 0.1
    assert float(cube.square().mean().sqrt()) == pytest.approx(0.1 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (3, 7, 9), (3, 6, 4)], ids=str)
def test_phase_randomisation_keeps_the_spectrum_and_the_length(shape: Shape) -> None:
    reference = torch.randn(1, *shape, generator=rng(1))
    ball = Ball("l2", float(reference.norm()))
    delta = PhaseRandomised()(reference, ball, generator=rng())
    torch.testing.assert_close(
        torch.fft.fft2(delta).abs(), torch.fft.fft2(reference).abs(), rtol=1e-3, atol=1e-4
    )
    assert float(delta.norm()) == pytest.approx(float(reference.norm()), rel=1e-5)
    cosine = float((delta * reference).sum() / reference.norm() ** 2)
    assert abs(cosine) < 0.5


def test_phase_randomised_nothing_is_nothing() -> None:
    delta = PhaseRandomised()(torch.zeros(1, 1, 4, 4), Ball("linf", 0.1), generator=rng())
    assert torch.equal(delta, torch.zeros(1, 1, 4, 4))


def test_what_a_system_receives_is_8_bit() -> None:
    images = torch.rand(2, 3, 5, 5, generator=rng()) * 2 - 0.5
    levels = as_received(images) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert float(levels.min()) >= 0
    assert float(levels.max()) <= 255
    assert float((as_received(images) - images.clamp(0, 1)).abs().max()) <= 0.5 / 255 + 1e-6
