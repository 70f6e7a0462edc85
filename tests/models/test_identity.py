"""The identity of a classifier changes with what its outputs depend on, and with nothing else."""

import torch
from torch import nn

from oracles import as_classifier
from straylight.models.identity import classifier_identity


def network(weight: float = 1.0, bias: bool = True) -> nn.Module:
    layer = nn.Linear(4, 2, bias=bias)
    for parameter in layer.parameters():
        nn.init.constant_(parameter, weight)
    return nn.Sequential(nn.Flatten(), layer)


def test_equal_networks_have_one_identity() -> None:
    first, second = (as_classifier(network(), (1, 2, 2)) for _ in range(2))
    assert classifier_identity(first) == classifier_identity(second)


def test_weights_structure_and_normalisation_count() -> None:
    original = classifier_identity(as_classifier(network(), (1, 2, 2)))
    weights = classifier_identity(as_classifier(network(2.0), (1, 2, 2)))
    assert weights["weights"] != original["weights"]
    structure = classifier_identity(as_classifier(network(bias=False), (1, 2, 2)))
    assert structure["structure"] != original["structure"]
    shifted = as_classifier(network(), (1, 2, 2))
    shifted.mean += torch.tensor(0.1)
    assert classifier_identity(shifted)["structure"] != original["structure"]
