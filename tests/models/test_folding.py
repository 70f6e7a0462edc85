"""Folding changes the cost of a classifier, not what it computes."""

import threading
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from networks import Net, classifier, cohort, logits, others
from oracles import grey_photographs, linear_problem
from straylight import Gradient, Plan, run
from straylight.models.classifier import Classifier
from straylight.models.folding import fold_batch_norms


def filled(network: nn.Module) -> nn.Module:
    """Give batch norms statistics that matter."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias.data):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
            for tensor in (module.running_var, module.weight.data):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return network


@pytest.mark.parametrize(
    ("name", "arguments", "left"),
    [
        ("test_resnet", {}, 0),
        ("mobilenetv2_035", {"pad_type": "same"}, 0),
        # Dense blocks normalise what several convolutions have joined: the first norm of each of the
        # 58 layers, those of the 3 transitions and the last stay.
        ("densenet121", {}, 58 + 3 + 1),
        ("inception_v3", {}, 0),
    ],
)
def test_folded_networks_compute_the_same(name: str, arguments: dict[str, str], left: int) -> None:
    network = filled(timm.create_model(name, num_classes=3, **arguments))
    shape = (3, 75, 75)  # the least that Inceptions take
    classifier = Classifier(network, shape=shape, class_names=("a", "b", "c"))
    before = classifier.sha256
    folded = fold_batch_norms(classifier)
    images = grey_photographs(3, shape).images(slice(None))
    expected = classifier(images)
    assert float((folded(images) - expected).abs().max()) < 1e-3 * float(expected.std())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == left
    assert classifier.sha256 == before


class SharedOutput(nn.Module):
    """A convolution whose output is used beside the batch norm: it must not be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.conv(images)
        return (features + self.norm(features)).mean((2, 3))


def test_what_cannot_be_folded_is_left_alone() -> None:
    shared = Classifier(filled(SharedOutput()), shape=(3, 8, 8), class_names=tuple("abcd"))
    assert fold_batch_norms(shared) is shared
    linear, _, _ = linear_problem((1, 8, 8))
    assert fold_batch_norms(linear) is linear


def test_a_network_that_cannot_be_copied_is_audited(tmp_path: Path) -> None:
    network, data = Net(logits), cohort(24)
    network.lock = threading.Lock()
    plan = Plan(zeta=0.05, methods=(Gradient(steps=1, batch_size=4),), control_seeds=1)
    assert run(plan, classifier(network), others(24), data, tmp_path).cohort.n == 24
