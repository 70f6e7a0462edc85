"""Scoring of a perturbation on a cohort."""

from dataclasses import dataclass

import torch

from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError, join_names, quote_text
from straylight.core.tensors import Delta, Labels, quantize
from straylight.evaluation.metrics import Matrix, Score
from straylight.models.classifier import Classifier


@dataclass(frozen=True, eq=False)
class CleanPredictions:
    """The classifier's predictions on a cohort without a perturbation."""

    cohort: Cohort
    predictions: Labels

    @property
    def confusion(self) -> Matrix:
        """Rows: true class; columns: prediction."""
        return cross_table(self.cohort.labels, self.predictions, len(self.cohort.class_names))


def check_cohort_fits(classifier: Classifier, cohort: Cohort) -> None:
    """Check that a cohort has images of the classifier's shape, and labels of its classes.

    Raises:
        InputError: If not.
    """
    spec, names, n = quote_text(cohort.images.spec), tuple(cohort.class_names), len(cohort.images)
    if n == 0:
        raise InputError(f"{spec} has no images: nothing can be measured on it.")
    if cohort.images.shape != classifier.shape:
        raise InputError(
            f"{spec} has images of shape {cohort.images.shape}, the classifier takes {classifier.shape}."
        )
    if names != classifier.class_names:
        raise InputError(
            f"{spec} has the classes {join_names(names)}; the classifier has "
            f"{join_names(classifier.class_names)}."
        )
    labels = cohort.labels
    if labels.shape != (n,) or not 0 <= int(labels.min()) <= int(labels.max()) < len(names):
        raise InputError(
            f"{spec} has labels of shape {tuple(labels.shape)} for {n} images of {len(names)} classes: "
            f"one number from 0 to {len(names) - 1} is needed for each image."
        )


def predict_clean(
    classifier: Classifier, cohort: Cohort, *, batch_size: int = 64
) -> CleanPredictions:
    """Predict the cohort without a perturbation."""
    check_cohort_fits(classifier, cohort)
    return CleanPredictions(cohort, classifier.predict_all(cohort.images, batch_size))


def score(
    classifier: Classifier, delta: Delta, clean: CleanPredictions, *, batch_size: int = 64
) -> Score:
    """Count how `delta` changes the predictions on a cohort.

    Images are scored as a deployed system receives them, clipped to [0, 1] and rounded to 8 bits;
    `Score.n_fooled_raw` is without both, as in the paper.
    """
    return count_predictions(
        clean, *predict_attacked(classifier, delta, clean, batch_size=batch_size)
    )


def predict_attacked(
    classifier: Classifier, delta: Delta, clean: CleanPredictions, *, batch_size: int = 64
) -> tuple[Labels, Labels]:
    """Predict the cohort under `delta`: quantized, as a deployed system receives it, and raw."""
    received, raw = [], []
    for images in clean.cohort.images.batches(batch_size):
        attacked = images + delta
        received.append(classifier.predict(quantize(attacked)))
        raw.append(classifier.predict(attacked))
    return torch.cat(received), torch.cat(raw)


def count_predictions(clean: CleanPredictions, predictions: Labels, raw: Labels) -> Score:
    """Count the predictions under a perturbation."""
    n_classes = len(clean.cohort.class_names)
    return Score(
        confusion=cross_table(clean.cohort.labels, predictions, n_classes),
        transitions=cross_table(clean.predictions, predictions, n_classes),
        n_fooled_raw=int((raw != clean.predictions).sum()),
    )


def cross_table(rows: Labels, columns: Labels, n: int) -> Matrix:
    """Count the pairs of two labellings in an n x n table (a confusion matrix).

    >>> cross_table(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2)
    ((1, 1), (0, 1))
    """
    table = torch.bincount(rows * n + columns, minlength=n * n).view(n, n)
    return tuple(tuple(row) for row in table.tolist())
