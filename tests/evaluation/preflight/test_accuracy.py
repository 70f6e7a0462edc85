"""Predictions against the labels: chance, class order, constant predictions."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from preflight_cases import LinearNet, make_classifier, make_cohort, mean_brightness, run_preflight
from straylight.cohort.cohort import Cohort
from straylight.evaluation.preflight.run import preflight


def test_absent_and_few_images_of_a_class() -> None:
    class Third(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.cat([LinearNet()(images), torch.full((len(images), 1), -9.0)], 1)

    cohort = replace(make_cohort((60, 9)), class_names=("a", "b", "c"))
    warning, note = preflight(make_classifier(Third(), names=("a", "b", "c")), cohort)
    assert (warning.level, note.level) == ("warning", "note")
    assert "has no image of c:" in warning.message
    assert "fewer than 10 images of b (9)" in note.message


def test_one_answer_for_all_images() -> None:
    findings = run_preflight(LinearNet(lambda z: z.abs() + 1), make_cohort((30, 70)))
    assert [f.check for f in findings] == ["constant", "accuracy"]
    assert "All 100 images are predicted as b" in findings[0].message
    # Balanced: recalls 0 of 30 and 70 of 70, so guessing.
    assert (
        "70.0 % (60.4-78.1) of 100 images and the balanced accuracy 50.0 %" in findings[1].message
    )
    assert "guessing has 50.0 %: no better than chance" in findings[1].message


def test_less_than_always_the_commonest_class() -> None:
    """Right for 60 of 90 a and 10 of 10 b: 70 %, less than 90 %, and still far from guessing."""
    cohort = make_cohort((90, 10))
    wrong = torch.zeros(100, dtype=torch.bool)
    wrong[:30] = True
    logits = F.one_hot((cohort.labels + wrong) % 2, 2).float()
    (found,) = preflight(make_classifier(LinearNet()), cohort, logits)
    assert found.check == "accuracy"
    assert (
        "70.0 % (60.4-78.1) of 100 images, not shown to be above the 90.0 % of always predicting a"
        in (found.message)
    )
    assert "balanced accuracy 83.3 %" in found.message


def test_classes_in_another_order_are_named_in_theirs() -> None:
    levels = torch.tensor([0.2, 0.5, 0.8])[:, None].expand(3, 3)
    cohort = make_cohort((40, 40, 40), levels)

    class Three(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            z = mean_brightness(images)
            # The outputs stand for the middle, the bright and the dark.
            return torch.stack([-z.square(), -z.sub(6).square(), -z.add(6).square()], 1)

    findings = preflight(make_classifier(Three(), names=("a", "b", "c")), cohort)
    order = next(f for f in findings if f.check == "class-order")
    assert (
        "in the order b, c, a the accuracy would be 100 % (94.0-100) of 60 images" in order.message
    )
    assert "instead of 0 % (0-6.0) of 60" in order.message
    mended = make_classifier(Three(), names=("b", "c", "a"))
    labels = torch.tensor([2, 0, 1])[cohort.labels]
    assert preflight(mended, Cohort(cohort.images, labels, ("b", "c", "a"))) == ()
