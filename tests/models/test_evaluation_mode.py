"""Freezing networks, other precisions, and errors of a network."""

import pytest
import torch
from torch import Tensor, nn

from networks import IMAGES, Net, classifier, cohort, logits
from straylight import preflight
from straylight.core.errors import InputError


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_case_23_other_precisions_are_converted_and_said(dtype: torch.dtype) -> None:
    network = Net(logits).to(dtype)
    stored = {name: tensor.float() for name, tensor in network.state_dict().items()}
    reference = Net(logits)
    reference.load_state_dict(stored)
    found = classifier(network)
    torch.testing.assert_close(found(IMAGES), reference((IMAGES - 0.5) / 0.5))
    note = next(item for item in preflight(found, cohort()) if item.check == "model")
    assert f"converted from {dtype}".replace("torch.", "") in note.message
    assert note.level == "note"


def test_case_23_a_network_that_casts_inside_is_refused_by_name() -> None:
    found = classifier(Net(lambda net, images: net.logits(images.half())))
    with pytest.raises(InputError, match="give the network in float32"):
        found(IMAGES)


def test_what_cannot_be_frozen_is_named() -> None:
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(7))
    with pytest.raises(InputError, match=r"^python:mine:net has parameters without a shape"):
        classifier(lazy, spec="python:mine:net")
    with pytest.raises(InputError, match=r"^python:mine:net has parameters on meta"):
        classifier(Net(logits).to("meta"), spec="python:mine:net")


def test_a_network_that_ends_the_process_is_told_so() -> None:
    def ends(net: Net, images: Tensor) -> Tensor:
        raise SystemExit(0)

    with pytest.raises(InputError, match=r"in a batch of 3: it ends the process\.$"):
        classifier(Net(ends))(IMAGES)
