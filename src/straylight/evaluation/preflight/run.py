"""Preflight: checks of a classifier and its medical images before any attack.

A failed attack is no evidence of robustness if the classifier is at chance, masks its gradients, or gets
images in another range than in training. The checks follow AutoAttack (Croce & Hein 2020,
https://arxiv.org/abs/2003.01690), and add common errors when medical classifiers change hands.
"""

from collections.abc import Iterator

import torch

from straylight.cohort.cohort import Cohort
from straylight.core.checks import check_type
from straylight.core.errors import InputError, quote_text
from straylight.core.progress import Tracker
from straylight.core.tensors import Batch, Labels, Logits
from straylight.evaluation.preflight.accuracy import check_against_labels
from straylight.evaluation.preflight.check_result import LEVELS, CheckResult
from straylight.evaluation.preflight.images import check_images
from straylight.evaluation.preflight.normalisation import check_normalisation
from straylight.evaluation.preflight.outputs import (
    check_finite_outputs,
    check_forward_and_backward,
)
from straylight.evaluation.scoring import check_cohort_fits
from straylight.models.classifier import Classifier

_OUTPUT_NOTES = {
    "probabilities": "its outputs are probabilities, and their logarithms are used as logits.",
    "one-logit": "its single output is used as the log-odds of its second class.",
    "one-probability": "its single output is used as the probability of its second class.",
}


def preflight(
    classifier: Classifier, cohort: Cohort, logits: Logits | None = None
) -> tuple[CheckResult, ...]:
    """Check a classifier on its medical images; about 300 image passes beside one over the cohort.

    Deterministic: random draws use fixed seeds, and the global generator is left unchanged.

    Args:
        classifier: To be audited. If it changes when it is called, that is reported, not corrected.
        cohort: Of its shape and classes.
        logits: Its logits on the cohort, if they have been computed.

    Returns:
        The results, errors first; none for a sound classifier on matching images.

    Raises:
        InputError: If one is of another type, the classifier does not keep its contract (see
            `Classifier`), or the cohort or the logits do not fit it.
    """
    check_type(classifier, "classifier", Classifier, "load_model(...) or Classifier(network, ...)")
    check_type(cohort, "cohort", Cohort, "load_cohort(...)")
    check_cohort_fits(classifier, cohort)
    if logits is not None:
        check_logits(logits, (len(cohort), len(classifier.class_names)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if logits is None:
            logits = classifier.logits_all(cohort.images)
        order = alternate_classes(cohort.labels)
        results = [
            *_note_loading(classifier),
            *_note_output_conversion(classifier),
            *check_images(cohort.images),
            *check_finite_outputs(logits),
            *check_forward_and_backward(classifier, cohort, order),
            *check_against_labels(cohort, logits.argmax(1), order),
            *check_normalisation(classifier, cohort, logits.argmax(1), order),
        ]
    return tuple(sorted(results, key=lambda result: LEVELS.index(result.level)))


def check_logits(logits: object, wanted: tuple[int, int]) -> None:
    """Check that logits are a floating-point tensor with one row for each image.

    Raises:
        InputError: If not.
    """
    if (
        not isinstance(logits, torch.Tensor)
        or not logits.is_floating_point()
        or tuple(logits.shape) != wanted
    ):
        shape = tuple(getattr(logits, "shape", ())) or quote_text(type(logits).__name__, 40)
        raise InputError(
            f"logits must be as made by classifier.logits_all(cohort.images), a floating-point tensor of "
            f"shape {wanted}, not {shape}."
        )


def stop_on_errors(results: tuple[CheckResult, ...]) -> None:
    """Raise if a check reports an error.

    Raises:
        InputError: With the messages of all errors, if there are any.
    """
    errors = [result.message for result in results if result.level == "error"]
    if errors:
        raise InputError(" ".join(errors))


def report_results(results: tuple[CheckResult, ...], tracker: Tracker) -> None:
    """Report warnings and notes.

    Raises:
        InputError: If a check reports an error.
    """
    stop_on_errors(results)
    for result in results:
        tracker.say(f"preflight, {result.level}: {result.message}")


def _note_loading(classifier: Classifier) -> Iterator[CheckResult]:
    """Report what was changed when a network was loaded, such as its precision."""
    for note in classifier.card.get("notes", ()):
        yield CheckResult("note", "model", f"{classifier.display_name}: {quote_text(note, 200)}")


def _note_output_conversion(classifier: Classifier) -> Iterator[CheckResult]:
    """Report how outputs that are not logits are converted, and which finding is audited."""
    finding = classifier.card.get("finding")
    if finding is not None:
        yield CheckResult(
            "note",
            "head",
            f"{classifier.display_name} predicts several findings; {finding} is audited.",
        )
        return
    note = _OUTPUT_NOTES.get(classifier.card.get("head", ""))
    if note is not None:
        yield CheckResult("note", "head", f"{classifier.display_name}: {note}")


def alternate_classes(labels: Labels) -> Batch:
    """Return an order of images in which every part has the classes in equal numbers, if possible.

    >>> alternate_classes(torch.tensor([0, 0, 0, 0, 1, 1])).lt(4).tolist().count(True)
    4
    """
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    mixed = labels[shuffled]
    rank = torch.empty_like(mixed)
    for label in range(int(labels.max()) + 1):
        members = (mixed == label).nonzero().flatten()
        rank[members] = torch.arange(len(members))
    return shuffled[rank.argsort(stable=True)]
