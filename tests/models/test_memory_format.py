"""The memory format of a network: flattening with view, and strides."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from networks import IMAGES, NAMES, Net, classifier, expected, logits
from straylight import ModelOptions, load_model


def viewed(net: Net, images: Tensor) -> Tensor:
    out: Tensor = net.fc(net.features(images).view(images.size(0), -1))
    return out


def test_case_2_a_network_that_flattens_with_view_runs_contiguous() -> None:
    found = classifier(Net(viewed))
    assert torch.equal(found(IMAGES), expected(forward=viewed))
    assert found.layout == torch.contiguous_format
    images = IMAGES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(found(images).sum(), images)
    assert gradient.abs().sum() > 0
    assert classifier(Net(logits)).layout == torch.channels_last


def test_case_2_a_network_that_looks_at_strides_keeps_its_values() -> None:
    def strided(net: Net, images: Tensor) -> Tensor:
        features = net.features(images)
        out: Tensor = net.fc(features.as_strided((len(features), 128), (128, 1)))
        return out

    found = classifier(Net(strided))
    assert torch.equal(found(IMAGES), expected())
    assert found.layout == torch.contiguous_format


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_case_2_programs_that_flatten_with_view(tmp_path: Path) -> None:
    network = Net(viewed).eval()
    torch.jit.trace(network, IMAGES).save(tmp_path / "net.pt")
    said = ModelOptions(classes=NAMES, size=16, mean=(0.5,) * 3, std=(0.5,) * 3, head="logits")
    found = load_model(tmp_path / "net.pt", said)
    torch.testing.assert_close(found(IMAGES), expected(forward=viewed))
    digest = hashlib.sha256((tmp_path / "net.pt").read_bytes()).hexdigest()
    assert found.card["files"] == {"net.pt": digest}
