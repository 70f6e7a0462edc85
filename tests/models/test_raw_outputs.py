"""Outputs in containers and squeezed outputs as tables."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from networks import IMAGES, Net, classifier, cohort, expected, others
from straylight import Plan, Sequential, run
from straylight.core.errors import InputError
from straylight.models.raw_outputs import as_table


@pytest.mark.parametrize("n", [1, 2, 7, 65])
def test_case_9_a_squeezed_batch_is_put_right(n: int) -> None:
    found = classifier(Net(lambda net, images: net.logits(images).squeeze()))
    images = cohort(n).images.images(slice(None))
    torch.testing.assert_close(found(images), expected(images))
    for k in (1, 7):
        whole = torch.rand(n, k)
        assert torch.equal(as_table(whole.squeeze(), n, {k}), whole)
        assert torch.equal(as_table(whole[:, :, None, None], n, {k}), whole)


def test_case_9_a_squeezed_network_is_audited_with_a_last_batch_of_one(tmp_path: Path) -> None:
    found, data = classifier(Net(lambda net, x: net.logits(x).squeeze())), cohort(65)
    plan = Plan(zeta=0.05, methods=(Sequential(),), control_seeds=1)
    audit = run(plan, found, others(4), data, tmp_path)
    assert audit.cohort.n == 65


@dataclass
class Scores:
    scores: Tensor
    features: Tensor


Pair = namedtuple("Pair", "logits aux")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda y: (y, torch.zeros(len(y), 2)),
        lambda y: [y],
        lambda y: {"logits": y, "probabilities": y},
        lambda y: {"out": y, "features": y[:, :3]},
        lambda y: Pair(y, y),
        lambda y: Scores(y, y[:, None, None, :2]),
    ],
)
def test_case_14_wrapped_logits_are_taken(wrap: Callable[[Tensor], object]) -> None:
    found = classifier(Net(lambda net, images: wrap(net.logits(images))))
    torch.testing.assert_close(found(IMAGES), expected())


def test_case_14_a_model_output_of_transformers_is_taken() -> None:
    outputs = pytest.importorskip("transformers.modeling_outputs")
    kind = outputs.ImageClassifierOutput
    found = classifier(Net(lambda net, images: kind(logits=net.logits(images))))
    torch.testing.assert_close(found(IMAGES), expected())


def test_case_14_ambiguous_outputs_say_how_to_return_the_logits() -> None:
    found = classifier(Net(lambda net, x: {"first": net.logits(x), "second": net.logits(x)}))
    with pytest.raises(InputError, match=r"'return self.network\(images\)\['first'\]'"):
        found(IMAGES)
