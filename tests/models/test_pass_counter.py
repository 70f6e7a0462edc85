"""Counting image passes."""

import torch

from model_cards import Echo
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.models.pass_counter import count_passes


def test_passes_are_counted_forwards_and_backwards() -> None:
    classifier = Classifier(Echo(), shape=(3, 6, 7), class_names=("r", "g", "b"))
    images = torch.rand(5, 3, 6, 7)
    with count_passes(classifier) as passes:
        classifier.predict(images)
        delta = torch.zeros(1, 3, 6, 7, requires_grad=True)
        torch.autograd.grad(classifier(images + delta).sum(), delta)
        classifier.predict_all(ImageSet(torch.zeros(7, 3, 6, 7, dtype=torch.uint8), "x"), 3)
    classifier.predict(images)
    assert (passes.forward, passes.backward, passes.total) == (17, 5, 22)
