"""Checks of a network's outputs: finite, deterministic, and with gradients that an attack can follow."""

from collections.abc import Iterator

import torch
from torch import Tensor

from straylight.attacks.losses import logit_margin
from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError, reason_of
from straylight.core.tensors import Batch, Logits
from straylight.evaluation.preflight.check_result import CheckResult
from straylight.models.classifier import Classifier
from straylight.models.determinism import PROBABILITY_KINDS
from straylight.models.evaluation_mode import layers_in_training_mode

SAMPLE = 24
TOLERANCE = 1e-4  # of the largest output: a thousand times what rounding does to it


def check_finite_outputs(logits: Logits) -> Iterator[CheckResult]:
    """Check that all outputs are finite."""
    bad = int((~logits.isfinite().all(1)).sum())
    if bad:
        yield CheckResult(
            "error",
            "outputs",
            f"The outputs are NaN or infinite for {bad} of {len(logits)} images: check the weights, and "
            "the network for a division by zero or a logarithm of zero.",
        )


def check_forward_and_backward(
    classifier: Classifier, cohort: Cohort, order: Batch
) -> Iterator[CheckResult]:
    """Check that the outputs are deterministic and have gradients, on the same images."""
    images = cohort.images.images(order[:SAMPLE]).requires_grad_()
    logits = classifier(images)
    finite = logits.detach().isfinite().all(1)
    if bool(finite.all()):
        yield from _check_determinism(classifier, images.detach(), logits.detach())
    if bool(finite.any()):
        yield from _check_gradients(logits[finite], images, finite)


def _check_determinism(
    classifier: Classifier, images: Tensor, first: Logits
) -> Iterator[CheckResult]:
    """Check that an image gets the same outputs in a second pass, and in other batches."""
    with torch.no_grad():
        again = classifier(images)
        # Halves in another order: a batch norm in training mode sees other neighbours.
        halves = images.flip(0).chunk(2)
        apart = torch.cat([classifier(half) for half in halves]).flip(0)
    left_on = layers_in_training_mode(classifier.network)
    for when, other, guess in (
        ("in a second pass", again, "something random is in its forward pass, such as dropout"),
        (
            "in other batches",
            apart,
            "its forward pass depends on the other images, as a batch norm in training mode does",
        ),
    ):
        if outputs_differ(classifier, first, other):
            changed = int((first.argmax(1) != other.argmax(1)).sum())
            yield CheckResult(
                "error",
                "determinism",
                f"The same images get other outputs {when} ({changed} of {len(images)} predictions "
                f"change): {left_on or guess}; give the network in evaluation mode.",
            )
            return
    with torch.no_grad():
        alone = classifier(images[:1])
    if outputs_differ(classifier, first[:1], alone):
        yield CheckResult(
            "error",
            "determinism",
            "An image gets other outputs alone than beside others: the forward pass depends on the "
            "whole batch, as a squeeze or a softmax over the wrong axis does; give each image its own row.",
        )
    elif left_on:
        yield CheckResult(
            "note", "determinism", f"The outputs are the same in each pass, though {left_on}."
        )


def check_same_outputs(classifier: Classifier, cohort: Cohort, logits: Logits) -> None:
    """Check that a classifier still gives the outputs that it gave before the attacks.

    Raises:
        InputError: If not: its outputs depend on earlier calls.
    """
    with torch.no_grad():
        again = classifier(cohort.images.images(slice(SAMPLE)))
    if outputs_differ(classifier, logits[:SAMPLE], again):
        raise InputError(
            f"{classifier.display_name} gives other outputs for the same images than at the "
            "start: it changes when it is called, so its figures would be meaningless. Give a network that "
            "keeps no state."
        )


def outputs_differ(classifier: Classifier, one: Logits, other: Logits) -> bool:
    """Return whether logits differ by more than rounding, in the network's own unit.

    Logits derived from probabilities magnify the rounding of those near 0 and 1, so these are compared
    after the logistic function.
    """
    if classifier.card.get("head") in PROBABILITY_KINDS:
        one, other = one.sigmoid(), other.sigmoid()
    return bool(((one - other).abs() > TOLERANCE * one.abs().max()).any())


def _check_gradients(logits: Logits, images: Tensor, chosen: Tensor) -> Iterator[CheckResult]:
    """Check that the margin of the prediction has a gradient with respect to the images.

    It counts as zero where moving every pixel over its whole range would change the margin by less, to
    first order, than its own rounding.
    """
    margins = logit_margin(logits, logits.argmax(1))
    try:
        (gradients,) = torch.autograd.grad(margins.sum(), images)
    except Exception as error:
        # Operators of other libraries and of users may raise any exception in the backward pass.
        yield CheckResult(
            "error",
            "gradients",
            f"No gradient reaches the images ({reason_of(error)}): {_DETACHED}",
        )
        return
    reach = gradients[chosen].abs().sum((1, 2, 3))
    n, bad = len(reach), int((~reach.isfinite()).sum())
    zero = int((reach <= torch.finfo(reach.dtype).eps * margins.detach().abs()).sum())
    if bad:
        yield CheckResult(
            "error",
            "gradients",
            f"The gradient of the margin is NaN or infinite for {bad} of {n} images: look for a root, a "
            "logarithm or a division by zero in the network.",
        )
    elif zero == n:
        yield CheckResult(
            "error",
            "gradients",
            f"The gradient of the margin is zero for all {n} images: {_DETACHED}",
        )
    elif zero:
        yield CheckResult(
            "warning",
            "gradients",
            f"The gradient of the margin vanishes for {zero} of {n} images: attacks cannot move these, "
            "and a low fooling rate is no evidence of robustness; give the logits before a softmax or "
            "sigmoid.",
        )


_DETACHED = (
    "the network rounds, detaches, runs without gradients, or ends in a saturated softmax; give one that "
    "can be differentiated, or its logits."
)
