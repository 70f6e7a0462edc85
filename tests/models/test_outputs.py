"""What outputs mean: told from probes, and turned into logits with the same probabilities."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

import straylight.models.outputs
from networks import IMAGES, Net, classifier
from straylight.core.errors import InputError
from straylight.models.options import OutputKind
from straylight.models.outputs import (
    ToLogits,
    infer_output_kind,
    single_output_kind,
    strongest_finding_logits,
    to_logits,
)
from straylight.models.raw_outputs import as_table

LOGITS = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)) * 3


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        (LOGITS, "logits"),
        (LOGITS.softmax(1), "probabilities"),
        (LOGITS[:, :1], "one-logit"),
        (LOGITS[:, :1].sigmoid(), "one-probability"),
        (LOGITS.log_softmax(1), "logits"),
    ],
)
def test_kinds_are_told(outputs: Tensor, kind: OutputKind) -> None:
    assert infer_output_kind(outputs) == kind


@pytest.mark.parametrize("kind", get_args(OutputKind))
def test_the_softmax_of_the_logits_is_what_the_network_says(kind: OutputKind) -> None:
    outputs = {
        "logits": LOGITS,
        "probabilities": LOGITS.softmax(1),
        "one-logit": LOGITS[:, :1],
        "one-probability": LOGITS[:, :1].sigmoid(),
    }[kind]
    p = LOGITS[:, :1].sigmoid()
    expected = torch.cat([1 - p, p], 1) if kind.startswith("one") else LOGITS.softmax(1)
    found = to_logits(outputs, kind)
    torch.testing.assert_close(found.softmax(1), expected)


def test_certain_probabilities_stay_finite_with_gradients() -> None:
    p = torch.tensor([[1.0, 0.0], [0.25, 0.75]], requires_grad=True)
    found = to_logits(p, "probabilities")
    assert bool(found.isfinite().all())
    (grad,) = torch.autograd.grad(found[1, 1], p)
    assert grad.tolist() == [[0, 0], [0, pytest.approx(1 / 0.75)]]


def test_one_finding_is_one_column() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Sigmoid())
    images = torch.rand(5, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    found = ToLogits(network, "one-probability", 2)(images).softmax(1)
    torch.testing.assert_close(found[:, 1], network(images)[:, 2])


def test_all_findings_are_answered_by_the_strongest_or_none() -> None:
    z = torch.tensor([[-1.0, 2.0, 0.5], [-3.0, -0.1, -2.0], [4.0, 4.5, 9.0]])
    images = torch.zeros(3, 1, 2, 2)
    for kind, outputs in (("one-logit", z), ("one-probability", z.sigmoid())):
        found = strongest_finding_logits(outputs, kind)
        torch.testing.assert_close(
            found, torch.cat([torch.zeros(3, 1), z], 1), rtol=1e-3, atol=1e-5
        )
        assert found.argmax(1).tolist() == [2, 0, 3]

        class Fixed(nn.Module):
            def forward(self, images: Tensor, said: Tensor = outputs) -> Tensor:
                return said

        assert torch.equal(ToLogits(Fixed(), kind, "all")(images), found)
    assert [single_output_kind(kind) for kind in get_args(OutputKind)] == [
        "one-logit", "one-probability", "one-logit", "one-probability"
    ]  # fmt: skip


def test_other_outputs_are_refused() -> None:
    with pytest.raises(InputError, match="choose one with --finding NAME"):
        infer_output_kind(LOGITS.sigmoid())
    with pytest.raises(InputError, match="gives NaN or infinity"):
        infer_output_kind(torch.tensor([[0.0, math.nan]]))
    for outputs, said in (
        (torch.zeros(2, 3, 4, 4), r"\(2, 3, 4, 4\)"),
        ("a", "str"),
        (None, "NoneType"),
    ):
        with pytest.raises(InputError, match=f"gives {said} for a batch of"):
            as_table(outputs, 2)
    assert as_table(torch.zeros(5), 5).shape == (5, 1)
    assert as_table((torch.zeros(5, 2),), 5).shape == (5, 2)


def test_the_head_that_is_proposed_for_one_output_runs() -> None:
    one = Net(lambda net, x: 9 * net.logits(x).sigmoid().logit(), 1)
    with pytest.raises(InputError, match=r"ToLogits\(network, 'one-logit'\)"):
        classifier(one, class_names=("A", "B")).predict(IMAGES)
    network = one
    wrapped = straylight.models.outputs.ToLogits(network, "one-logit")
    found = classifier(wrapped, class_names=("A", "B"))
    with torch.no_grad():
        says = network((IMAGES - 0.5) / 0.5)[:, 0] > 0
    assert found.predict(IMAGES).tolist() == says.long().tolist()
