"""How a network behaves: finite, the same each time, and with gradients that an attack can follow."""

from collections.abc import Iterator

import torch
from torch import Tensor

from straylight.attacks.losses import margin
from straylight.cohort.load import Cohort
from straylight.core.errors import InputError, reason_of
from straylight.core.tensors import Batch, Logits
from straylight.evaluation.preflight.finding import Finding
from straylight.models.classifier import Classifier
from straylight.models.determinism import IN_UNIT_RANGE
from straylight.models.memory_format import left_in_training

SAMPLE = 24
TOLERANCE = 1e-4  # of the largest output: a thousand times what rounding does to it


def check_outputs(logits: Logits) -> Iterator[Finding]:
    """Check that all outputs are numbers."""
    bad = int((~logits.isfinite().all(1)).sum())
    if bad:
        yield Finding(
            "error",
            "outputs",
            f"The outputs are NaN or infinite for {bad} of {len(logits)} images: check the weights, and "
            "what the network divides by or takes a logarithm of.",
        )


def check_behaviour(classifier: Classifier, cohort: Cohort, order: Batch) -> Iterator[Finding]:
    """Call the network three times on the same images, once for its gradient."""
    images = cohort.images.images(order[:SAMPLE]).requires_grad_()
    logits = classifier(images)
    finite = logits.detach().isfinite().all(1)
    if bool(finite.all()):
        yield from check_determinism(classifier, images.detach(), logits.detach())
    if bool(finite.any()):
        yield from check_gradients(logits[finite], images, finite)


def check_determinism(classifier: Classifier, images: Tensor, first: Logits) -> Iterator[Finding]:
    """Check that an image gets the same answer again, and beside other images."""
    with torch.no_grad():
        again = classifier(images)
        # Halves in another order: a batch norm in training mode sees other neighbours.
        halves = images.flip(0).chunk(2)
        apart = torch.cat([classifier(half) for half in halves]).flip(0)
    left_on = left_in_training(classifier.network)
    for when, other, guess in (
        ("in a second pass", again, "something random is in its forward pass, such as dropout"),
        (
            "in other batches",
            apart,
            "its forward pass looks at the other images, as a batch norm in training mode does",
        ),
    ):
        if differ(classifier, first, other):
            changed = int((first.argmax(1) != other.argmax(1)).sum())
            yield Finding(
                "error",
                "determinism",
                f"The same images get other outputs {when} ({changed} of {len(images)} predictions "
                f"change): {left_on or guess}; give the network in evaluation mode.",
            )
            return
    with torch.no_grad():
        alone = classifier(images[:1])
    if differ(classifier, first[:1], alone):
        yield Finding(
            "error",
            "determinism",
            "An image gets other outputs alone than beside others: the forward pass looks at the whole "
            "batch, as a squeeze or a softmax over the wrong axis does; give each image its own row.",
        )
    elif left_on:
        yield Finding(
            "note", "determinism", f"The outputs are the same in each pass, though {left_on}."
        )


def check_unchanged(classifier: Classifier, cohort: Cohort, logits: Logits) -> None:
    """Check that a classifier still gives the answers that it gave before the attacks.

    Raises:
        InputError: If not: what it says depends on what it was asked before.
    """
    with torch.no_grad():
        again = classifier(cohort.images.images(slice(SAMPLE)))
    if differ(classifier, logits[:SAMPLE], again):
        raise InputError(
            f"{classifier.said} gives other outputs for the same images than at the start: it changes as "
            "it is called, so no figures can be given of it. Give a network that keeps no state."
        )


def differ(classifier: Classifier, one: Logits, other: Logits) -> bool:
    """Return whether logits differ by more than rounding, in the network's own unit.

    Logits that were made of probabilities magnify the rounding of those near 0 and 1, so there the
    logistic function is compared.
    """
    if classifier.card.get("head") in IN_UNIT_RANGE:
        one, other = one.sigmoid(), other.sigmoid()
    return bool(((one - other).abs() > TOLERANCE * one.abs().max()).any())


def check_gradients(logits: Logits, images: Tensor, chosen: Tensor) -> Iterator[Finding]:
    """Check that the margin of the prediction has a gradient with respect to the images.

    It counts as zero where moving every pixel over its whole range would change the margin by less, to
    first order, than its own rounding.
    """
    margins = margin(logits, logits.argmax(1))
    try:
        (gradients,) = torch.autograd.grad(margins.sum(), images)
    except Exception as error:
        # Operators of other libraries and of users raise what they like on the way back.
        yield Finding(
            "error", "gradients", f"No gradient reaches the images ({reason_of(error)}): {DETACHED}"
        )
        return
    reach = gradients[chosen].abs().sum((1, 2, 3))
    n, bad = len(reach), int((~reach.isfinite()).sum())
    zero = int((reach <= torch.finfo(reach.dtype).eps * margins.detach().abs()).sum())
    if bad:
        yield Finding(
            "error",
            "gradients",
            f"The gradient of the margin is NaN or infinite for {bad} of {n} images: look for a root, a "
            "logarithm or a division by zero in the network.",
        )
    elif zero == n:
        yield Finding(
            "error",
            "gradients",
            f"The gradient of the margin is zero for all {n} images: {DETACHED}",
        )
    elif zero:
        yield Finding(
            "warning",
            "gradients",
            f"The gradient of the margin vanishes for {zero} of {n} images: attacks pass these by, and "
            "a low fooling rate says little; give the logits before a softmax or sigmoid.",
        )


DETACHED = (
    "the network rounds, detaches, runs without gradients, or ends in a saturated softmax; give one that "
    "can be differentiated, or its logits."
)
