"""Preflight: what to know of a classifier and its medical images before any attack.

An attack that fails is no evidence where the classifier answers at random, hides its gradient, or is
given images in another range than it was trained on. After the checks of AutoAttack (Croce & Hein 2020,
https://arxiv.org/abs/2003.01690), with what goes wrong when medical classifiers change hands.
"""

from collections.abc import Iterator

import torch

from straylight.cohort.load import Cohort
from straylight.core.checks import check_kind
from straylight.core.errors import InputError, quoted
from straylight.core.progress import Tracker
from straylight.core.tensors import Batch, Labels, Logits
from straylight.evaluation.preflight.accuracy import check_agreement
from straylight.evaluation.preflight.finding import LEVELS, Check, Finding, Level
from straylight.evaluation.preflight.images import check_images
from straylight.evaluation.preflight.normalisation import check_normalisation
from straylight.evaluation.preflight.outputs import check_behaviour, check_outputs, check_unchanged
from straylight.evaluation.scoring import check_fits
from straylight.models.classifier import Classifier

__all__ = [
    "Check",
    "Finding",
    "Level",
    "announce",
    "check_unchanged",
    "preflight",
    "stop_on_errors",
]

HEADS = {
    "probabilities": "its outputs are probabilities, and their logarithms are taken for its logits.",
    "one-logit": "its one output is taken for the log-odds of its second class.",
    "one-probability": "its one output is taken for the probability of its second class.",
}


def preflight(
    classifier: Classifier, cohort: Cohort, logits: Logits | None = None
) -> tuple[Finding, ...]:
    """Check a classifier on its medical images; about 300 image passes beside one over the cohort.

    The same for the same classifier and images: what is drawn at random is drawn from fixed seeds, and
    the global generator is left as it was.

    Args:
        classifier: To be audited. One that changes when it is called is told, not mended.
        cohort: Of its shape and classes.
        logits: Its logits on the cohort, if they are there already.

    Returns:
        The findings, errors first; none for a sound classifier on fitting images.

    Raises:
        InputError: If one is of another type, the classifier does not keep its contract (see
            `Classifier`), or the cohort or the logits do not fit it.
    """
    check_kind(classifier, "classifier", Classifier, "load_model(...) or Classifier(network, ...)")
    check_kind(cohort, "cohort", Cohort, "load_cohort(...)")
    check_fits(classifier, cohort)
    if logits is not None:
        check_logits(logits, (len(cohort), len(classifier.class_names)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if logits is None:
            logits = classifier.logits_all(cohort.images)
        order = alternating(cohort.labels)
        found = [
            *describe_model(classifier),
            *describe_head(classifier),
            *check_images(cohort.images),
            *check_outputs(logits),
            *check_behaviour(classifier, cohort, order),
            *check_agreement(cohort, logits.argmax(1), order),
            *check_normalisation(classifier, cohort, logits.argmax(1), order),
        ]
    return tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))


def check_logits(logits: object, wanted: tuple[int, int]) -> None:
    """Check that logits are a table of numbers, one row for each image.

    Raises:
        InputError: If not.
    """
    if (
        not isinstance(logits, torch.Tensor)
        or not logits.is_floating_point()
        or tuple(logits.shape) != wanted
    ):
        shape = tuple(getattr(logits, "shape", ())) or quoted(type(logits).__name__, 40)
        raise InputError(
            f"logits must be as made by classifier.logits_all(cohort.images), a floating-point tensor of "
            f"shape {wanted}, not {shape}."
        )


def stop_on_errors(findings: tuple[Finding, ...]) -> None:
    """Raise what preflight calls an error.

    Raises:
        InputError: With the messages of all errors, if there are any.
    """
    errors = [finding.message for finding in findings if finding.level == "error"]
    if errors:
        raise InputError(" ".join(errors))


def announce(findings: tuple[Finding, ...], tracker: Tracker) -> None:
    """Tell what an audit goes on in spite of.

    Raises:
        InputError: If it must not.
    """
    stop_on_errors(findings)
    for finding in findings:
        tracker.say(f"preflight, {finding.level}: {finding.message}")


def describe_model(classifier: Classifier) -> Iterator[Finding]:
    """Report what its reader changed of a network, such as its precision."""
    for note in classifier.card.get("notes", ()):
        yield Finding("note", "model", f"{classifier.said}: {quoted(note, 200)}")


def describe_head(classifier: Classifier) -> Iterator[Finding]:
    """Say how outputs that are no logits were brought to some, and which are looked at."""
    finding = classifier.card.get("finding")
    if finding is not None:
        yield Finding(
            "note", "head", f"{classifier.said} says several findings; audited is {finding}."
        )
        return
    says = HEADS.get(classifier.card.get("head", ""))
    if says is not None:
        yield Finding("note", "head", f"{classifier.said}: {says}")


def alternating(labels: Labels) -> Batch:
    """Order images so that each part of the order has the classes in equal numbers, as far as they go.

    >>> alternating(torch.tensor([0, 0, 0, 0, 1, 1])).lt(4).tolist().count(True)
    4
    """
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    mixed = labels[shuffled]
    rank = torch.empty_like(mixed)
    for label in range(int(labels.max()) + 1):
        members = (mixed == label).nonzero().flatten()
        rank[members] = torch.arange(len(members))
    return shuffled[rank.argsort(stable=True)]
