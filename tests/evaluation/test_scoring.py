"""Scoring: no perturbation fools nobody, and outputs that are not finite are refused."""

from dataclasses import replace

import pytest
import torch

from oracles import as_classifier
from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.evaluation.scoring import predict_clean, score
from straylight.models.classifier import Classifier


def test_no_perturbation_fools_nobody(parts: tuple[Classifier, ImageSet, Cohort]) -> None:
    classifier, _, cohort = parts
    clean = predict_clean(classifier, cohort)
    found = score(classifier, torch.zeros(1, 3, 32, 32), clean, batch_size=7)
    assert found.fooled.hits == found.fooled_raw.hits == 0
    assert found.confusion == clean.confusion


class NaNs(torch.nn.Module):
    """Has an opinion on nothing."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 2), float("nan"))


def test_outputs_that_are_no_numbers_are_not_counted(
    parts: tuple[Classifier, ImageSet, Cohort],
) -> None:
    classifier, _, cohort = parts
    clean = predict_clean(classifier, cohort)
    delta = torch.full((1, 3, 32, 32), float("nan"))
    with pytest.raises(InputError, match="gives NaN for 24 of 24 images"):
        score(classifier, delta, clean)
    broken = as_classifier(NaNs(), (3, 32, 32))
    cohort = replace(cohort, class_names=broken.class_names)
    with pytest.raises(InputError, match="gives NaN for 24 of 24 images"):
        predict_clean(broken, cohort)
