"""Outputs that are not finite, deterministic or differentiable."""

import math
import re
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from preflight_cases import LinearNet, make_classifier, make_cohort, run_preflight
from straylight.evaluation.preflight.outputs import outputs_differ


class Stubborn(nn.Module):
    """A layer that stays in training mode."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def train(self, mode: bool = True) -> "Stubborn":
        return super().train(True)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.layer(z[:, None])
        return out[:, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z: F.dropout(z, 0.3), ["in a second pass", "something random"]),
        (Stubborn(nn.Dropout(0.3)), ["in a second pass", "Dropout change.layer stays in training"]),
        (Stubborn(nn.BatchNorm1d(1)), ["in other batches", "BatchNorm1d change.layer stays in"]),
        (
            lambda z: F.batch_norm(z[:, None], None, None, training=True)[:, 0],
            ["in other batches", "depends on the other images"],
        ),
    ],
)
def test_a_network_that_changes_its_answer_is_an_error(
    change: Callable[[Tensor], Tensor], words: list[str]
) -> None:
    first = run_preflight(LinearNet(change))[0]
    assert (first.level, first.check) == ("error", "determinism")
    assert all(word in first.message for word in words)


def test_training_mode_without_consequence_is_a_note() -> None:
    (note,) = run_preflight(LinearNet(Stubborn(nn.Dropout(0.0))))
    assert (note.level, note.check) == ("note", "determinism")


def test_rounding_of_a_sure_probability_is_no_change() -> None:
    """One minus one step of float32 below 1, and one minus two: logits that differ by 0.7."""
    p = torch.tensor([1 - 2**-24, 1 - 2**-23])
    logits = torch.stack([(1 - p).log(), p.log()], 1)
    one, other = logits[:1], logits[1:]
    assert outputs_differ(make_classifier(LinearNet()), one, other)
    assert not outputs_differ(make_classifier(LinearNet(), head="one-probability"), one, other)


def test_outputs_that_are_no_numbers_are_errors() -> None:
    cohort = make_cohort((20, 20))
    cohort.images.pixels[:3] = 127  # z is -0.04 there, and no root
    findings = run_preflight(
        LinearNet(lambda z: torch.where((z + 0.04).abs() < 0.01, math.nan, z)), cohort
    )
    assert [f.check for f in findings if f.level == "error"] == ["outputs"]
    assert "for 3 of 40 images" in findings[0].message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (torch.Tensor.detach, r"No gradient reaches the images \(element 0 of tensors does not"),
        (lambda z: z.sign() + z * 0, "is zero for all 24 images"),
        (lambda z: z + (z * 0).sqrt(), "is NaN or infinite for 24 of 24 images"),
    ],
)
def test_gradients_that_lead_nowhere_are_errors(
    change: Callable[[Tensor], Tensor], message: str
) -> None:
    (error,) = run_preflight(LinearNet(change))
    assert (error.level, error.check) == ("error", "gradients")
    assert re.search(message, error.message)


def test_a_saturated_softmax_is_a_warning() -> None:
    """The sigmoid of z falls off as its exponential: at 13 times -2 no rounding of it is moved."""
    (warning,) = run_preflight(LinearNet(lambda z: torch.where(z < 0, 13 * z, z).sigmoid() - 0.5))
    assert (warning.level, warning.check) == ("warning", "gradients")
    assert "vanishes for 12 of 24 images" in warning.message
