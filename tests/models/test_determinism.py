"""Networks whose outputs are not reproducible."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from networks import IMAGES, Forward, Net, classifier, cohort, expected, logits, others
from straylight import Gradient, Plan, run
from straylight.core.errors import InputError
from straylight.models.pass_counter import count_passes


def test_a_classifier_that_changes_while_it_is_audited_is_refused(tmp_path: Path) -> None:
    class Counts(Net):
        calls = 0

        def forward(self, images: Tensor) -> Any:  # noqa: ANN401
            Counts.calls += 1
            return self.logits(images) * (1 if Counts.calls < 30 else -1)

    data = cohort(24)
    plan = Plan(zeta=0.05, methods=(Gradient(steps=20, batch_size=4),), control_seeds=1)
    with pytest.raises(
        InputError, match="gives other outputs for the same images than at the start"
    ):
        run(plan, classifier(Counts(logits)), others(24), data, tmp_path)


def moved(net: Net, images: Tensor) -> Tensor:
    net.fc.weight.data.add_(1e-6)
    return net.logits(images)


def counted(net: Net, images: Tensor) -> Tensor:
    net.calls = getattr(net, "calls", 0) + 1
    return net.logits(images) + net.calls


UNSTEADY: dict[str, tuple[Forward, str]] = {
    "mean": (
        lambda net, x: net.logits(x) - net.logits(x).mean(0),
        "other outputs for an image alone than in a batch",
    ),
    "flip": (
        lambda net, x: net.logits(x.flip(0)),
        "other outputs for an image alone than in a batch",
    ),
    "norm": (
        lambda net, x: net.logits(x / x.std()),
        "other outputs for an image alone than in a batch",
    ),
    "random": (
        lambda net, x: net.logits(F.dropout(x)),
        "gives other outputs when it is run again",
    ),
    "state": (counted, "gives other outputs when it is run again"),
    "weights": (moved, "changes its weights when it is called"),
}


@pytest.mark.parametrize("name", UNSTEADY)
def test_images_without_one_answer_are_refused_in_python(name: str) -> None:
    forward, sentence = UNSTEADY[name]
    found = classifier(Net(forward))
    for _ in range(2):
        with pytest.raises(InputError, match=f"^the model .*{sentence}.*so it cannot be audited"):
            found.predict(IMAGES)
    with pytest.raises(InputError, match=sentence):
        found.predict_all(cohort().images)


def test_an_answer_is_looked_at_once_and_a_cache_is_no_state() -> None:
    batches: list[int] = []

    def caches(net: Net, images: Tensor) -> Tensor:
        batches.append(len(images))
        if not hasattr(net, "scale"):
            net.register_buffer("scale", torch.ones(7))
        return net.logits(images) * net.scale

    found = classifier(Net(caches), layout=torch.contiguous_format)
    with count_passes(found) as passes:
        assert torch.equal(found.predict(IMAGES), expected().argmax(1))
        assert torch.equal(found.predict(IMAGES), expected().argmax(1))
    assert batches == [3, 1, 1, 1, 2, 3, 3, 3]
    assert passes.forward == 6
