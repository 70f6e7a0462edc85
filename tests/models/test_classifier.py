"""A classifier: preprocessing, predictions and digest."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import normalize

from model_cards import MEAN, STD, Echo, card
from networks import IMAGES, NAMES, Net, classifier, cohort, logits, others
from straylight import Gradient, Plan, preflight, run
from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


def test_preprocessing_is_torchvisions() -> None:
    images = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    classifier = Classifier(
        Echo(), shape=(3, 6, 7), class_names=("r", "g", "b"), mean=MEAN, std=STD
    )
    expected = normalize(images, list(MEAN), list(STD)).mean((2, 3))
    torch.testing.assert_close(classifier(images), expected)


def test_grey_images_are_repeated_to_rgb_inside() -> None:
    images = torch.rand(2, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    grey = Classifier(Echo(), shape=(1, 6, 7), class_names=("r", "g", "b"), mean=MEAN, std=STD)
    colour = Classifier(Echo(), shape=(3, 6, 7), class_names=("r", "g", "b"), mean=MEAN, std=STD)
    torch.testing.assert_close(grey(images), colour(images.repeat(1, 3, 1, 1)))


def test_a_classifier_is_frozen_and_in_evaluation_mode() -> None:
    network = card().build().train()
    classifier = card().classifier(network, "x")
    assert not any(module.training for module in classifier.modules())
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_the_digest_sees_every_weight(tmp_path: Path) -> None:
    network = card().build()
    before = card().classifier(network, "x").sha256
    parameter = list(network.parameters())[-1]
    with torch.no_grad():
        parameter.view(-1)[-1] += 1
    assert card().classifier(network, "x").sha256 != before


def test_impossible_channels_are_refused() -> None:
    with pytest.raises(InputError, match="takes 1 or 3 channels, not 4"):
        Classifier(Echo(), shape=(4, 6, 7), class_names=("a",))


def test_a_prediction_is_the_largest_logit() -> None:
    classifier = Classifier(Echo(), shape=(3, 6, 7), class_names=("r", "g", "b"))
    pixels = np.zeros((3, 3, 6, 7), dtype=np.uint8)
    for label in range(3):
        pixels[label, label] = 200
    assert classifier.predict_all(ImageSet(torch.from_numpy(pixels), "x")).tolist() == [0, 1, 2]


@pytest.mark.parametrize("n", [1, 5, 10])
def test_case_10_another_number_of_outputs_is_refused(n: int, tmp_path: Path) -> None:
    found, data = classifier(Net(logits, n)), cohort()
    outputs = "1 output" if n == 1 else f"{n} outputs"
    sentence = f"^the model has {outputs}, but 7 classes are named: A, B, C, D, E, F, G.$"
    with pytest.raises(InputError, match=sentence):
        preflight(found, data)
    with pytest.raises(InputError, match=sentence):
        run(Plan(zeta=0.05, methods=(Gradient(steps=1),)), found, others(4), data, tmp_path)
    with pytest.raises(InputError, match=r"ToLogits\(network, 'one-logit'\)"):
        classifier(Net(logits, 1), class_names=("A", "B"))(IMAGES)


def test_nan_for_some_images_is_found_and_not_raised() -> None:
    def some(net: Net, images: Tensor) -> Tensor:
        dark = images.mean((1, 2, 3)) < images.mean()
        return net.logits(images).masked_fill(dark[:, None], torch.nan)

    findings = preflight(classifier(Net(some)), cohort())
    assert "outputs" in [item.check for item in findings if item.level == "error"]


def test_a_cohort_of_others_is_refused_in_python() -> None:
    found, data = classifier(Net(logits)), cohort()
    others = Cohort(data.images, data.labels, tuple("abcdefg"))
    with pytest.raises(InputError, match="has the classes a, b, c, d, e, f, g; the classifier has"):
        preflight(found, others)
    with pytest.raises(InputError, match="one number from 0 to 6 is needed for each image"):
        preflight(found, Cohort(data.images, data.labels + 1, NAMES))
