"""Batch-norm moments against their formula and torch."""

import math

import pytest
import torch

from attack_runs import Remembering, rng
from oracles import as_classifier
from straylight.attacks.adaptation.statistics import BatchNormMoments


def test_moments_are_the_formula() -> None:
    classifier = as_classifier(Remembering(1), (1, 4, 4))
    norm = classifier.network.norm
    norm.running_mean.fill_(0.25)
    norm.running_var.fill_(0.01)
    images = torch.tensor([0.3, 0.7]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    with BatchNormMoments(classifier, 1) as moments:
        classifier(images)
    expected = (0.5 - 0.25) ** 2 / 0.01 + math.log(0.04 / 0.01) ** 2 / 2
    assert float(moments.distance()) == pytest.approx(expected, rel=2e-3)  # the layer's own eps


def test_moments_of_the_images_that_a_batch_norm_was_trained_on_are_at_no_distance() -> None:
    """Against torch's own running statistics, taken over one whole batch."""
    network = Remembering(3)
    network.norm.momentum = 1.0
    images = torch.rand(16, 3, 8, 8, generator=rng())
    network.train()(images)
    classifier = as_classifier(network, (3, 8, 8))
    with BatchNormMoments(classifier, 5) as moments:
        classifier(images)
    assert float(moments.distance()) < 1e-6
    assert not network.norm._forward_pre_hooks
