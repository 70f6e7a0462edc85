"""How a network behaves: finite, the same each time, and with gradients that an attack can follow."""

from collections.abc import Iterator

import torch
from torch import Tensor

from straylight.attacks.losses import margin
from straylight.classifier import Classifier
from straylight.cohort import Cohort
from straylight.preflight.finding import Finding
from straylight.tensors import Batch, Logits

SAMPLE = 24
TOLERANCE = 1e-4  # of the largest output: a thousand times what rounding does to it
IN_UNIT_RANGE = ("probabilities", "one-probability")


def check_outputs(logits: Logits) -> Iterator[Finding]:
    """See that all outputs are numbers."""
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
    """See that an image gets the same answer again, and beside other images."""
    with torch.no_grad():
        again = classifier(images)
        # Halves in another order: a batch norm in training mode sees other neighbours.
        halves = images.flip(0).chunk(2)
        apart = torch.cat([classifier(half) for half in halves]).flip(0)
    left_on = modes_of(classifier)
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
    if left_on:
        yield Finding(
            "note", "determinism", f"The outputs are the same in each pass, though {left_on}."
        )


def differ(classifier: Classifier, one: Logits, other: Logits) -> bool:
    """Tell whether logits differ by more than rounding, in the network's own unit.

    Logits that were made of probabilities magnify the rounding of those near 0 and 1, so there the
    logistic function is compared.
    """
    if classifier.card.get("head") in IN_UNIT_RANGE:
        one, other = one.sigmoid(), other.sigmoid()
    return bool(((one - other).abs() > TOLERANCE * one.abs().max()).any())


def modes_of(classifier: Classifier) -> str:
    """Name the layers that are in training mode although the network was put in evaluation mode."""
    layers = [
        f"{type(module).__name__} {name}".strip()
        for name, module in classifier.network.named_modules()
        if module.training and not list(module.children())
    ]
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    verb = "stays" if len(layers) == 1 else "stay"
    return f"{', '.join(layers[:3])}{more} {verb} in training mode" if layers else ""


def check_gradients(logits: Logits, images: Tensor, chosen: Tensor) -> Iterator[Finding]:
    """See that the margin of the prediction has a gradient with respect to the images.

    It counts as zero where moving every pixel over its whole range would change the margin by less, to
    first order, than its own rounding.
    """
    margins = margin(logits, logits.argmax(1))
    try:
        (gradients,) = torch.autograd.grad(margins.sum(), images)
    except RuntimeError as error:  # NotImplementedError is one
        reason = str(error).splitlines()[0]
        yield Finding(
            "error", "gradients", f"No gradient reaches the images ({reason}): {DETACHED}"
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
