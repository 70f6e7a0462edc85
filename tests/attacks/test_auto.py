"""The choice of a goal, and the budget of image passes."""

import pytest
import torch

from attack_runs import SHAPES, last, rng
from oracles import as_classifier, balanced_tiny, grey_photographs, linear_problem
from straylight.attacks.auto import Auto, expected_fooling_rate, split_held_out
from straylight.attacks.ball import Ball
from straylight.core.conventions import Shape
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.models.pass_counter import count_passes


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
    delta = last(Auto(image_passes=4000, batch_size=7), classifier, photographs, ball)
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
    found = expected_fooling_rate(classifier, photographs, before, lighter, 0.2)
    # Of class 0 the margin falls by 62 levels, beyond all that is counted. Of class 1 it was 2 (130 -
    # 114.75) levels and is then, to class 2, 140.25 less 161, counted with class 2's slope of two.
    fall = 2 * (130 - 114.75) - ((161 - 114.75) - 2 * (161 - 140.25))
    assert found == pytest.approx(weights[0] + weights[1] * fall / 255 / 0.2, abs=1e-5)
    # Less light lowers the margin of class 2, to which no photograph belongs: over all, by 3 a level
    # against class 1, and from class 0 by one a level.
    darker = torch.full((1, 1, 4, 4), -20 / 255)
    found = expected_fooling_rate(classifier, photographs, before, darker, 0.5)
    light = (2 * (130 - 140.25) - (130 - 114.75)) - (2 * (110 - 140.25) - (114.75 - 110))
    dark = (2 * (100 - 140.25) - (114.75 - 100)) - (2 * (80 - 140.25) - (114.75 - 80))
    of_absent = (8 * dark + 2 * light) / 10
    of_light = 2 * (130 - 114.75) - 2 * (110 - 114.75)
    expected = weights[1] * of_light / 255 / 0.5 + weights[2] * of_absent / 255 / 0.5
    assert found == pytest.approx(expected, abs=1e-5)
    assert expected_fooling_rate(classifier, photographs, before, 0 * darker, 0.2) == 0


def test_auto_learns_on_nothing_that_it_chooses_on() -> None:
    photographs = grey_photographs(47, (1, 8, 8))
    learned, held_out = split_held_out(photographs, rng())
    assert (len(learned), len(held_out)) == (43, 4)
    assert learned.digests() | held_out.digests() == photographs.digests()
    assert not learned.digests() & held_out.digests()
    with pytest.raises(InputError, match="at least two photographs"):
        split_held_out(grey_photographs(1, (1, 8, 8)), rng())


def test_auto_takes_no_target() -> None:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=20)
    with pytest.raises(InputError, match="chooses its target itself"):
        last(Auto(), classifier, photographs, Ball("l2", 1.0), target=0)


@pytest.mark.parametrize(
    ("n_photographs", "n_classes"), [(50, 3), (1000, 2), (3000, 7), (300, 1000)]
)
def test_auto_keeps_to_its_passes(n_photographs: int, n_classes: int) -> None:
    attack = Auto(image_passes=8000, batch_size=4)
    goals, trial, final = attack.schedule(n_photographs, n_classes)
    forwards = n_photographs + (goals + 2) * min(200, n_photographs // 10)
    updates = (goals * trial + 2 * final) * 4
    assert 6000 < forwards + 2 * updates <= 8000
    assert 2 <= goals <= n_classes + 1
    assert attack.planned(n_photographs, n_classes) == updates


def test_auto_counts_as_it_plans_and_tries_the_most_frequent_classes() -> None:
    photographs = grey_photographs(50, (1, 8, 8))
    classifier = balanced_tiny(photographs, 6)
    attack = Auto(image_passes=600, batch_size=7)
    goals, trial, final = attack.schedule(50, 6)
    assert goals < 7
    with count_passes(classifier) as passes:
        last(attack, classifier, photographs, Ball("l2", 0.5))
    assert passes.backward == (goals * trial + 2 * final) * 7
    assert passes.total == 2 * passes.backward + 50 + (goals + 2) * 5 <= 600


def test_auto_says_how_many_passes_it_needs() -> None:
    with pytest.raises(InputError, match=r"give image_passes=2680 or more") as error:
        Auto(image_passes=100).schedule(1000, 5)
    needed = int(str(error.value).rpartition("=")[2].split()[0])
    assert Auto(image_passes=needed).schedule(1000, 5)[0] == 2
    with pytest.raises(InputError):
        Auto(image_passes=needed - 1).schedule(1000, 5)
