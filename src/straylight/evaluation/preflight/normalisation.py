"""The most common error that nobody notices: images given in another range than the network learned."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from straylight.cohort.load import Cohort
from straylight.core.errors import InputError
from straylight.core.tensors import LEVELS, Batch, Images, Labels
from straylight.data.images import RGB
from straylight.evaluation.metrics import Proportion, wilson
from straylight.evaluation.preflight.accuracy import said
from straylight.evaluation.preflight.finding import Finding
from straylight.models import backbones
from straylight.models.classifier import Classifier

SCREENED, TESTED = 16, 100  # images
SAME = 0.01  # relative difference of numbers that a network cannot tell

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Normalisation:
    """What is done to images in [0, 1] before the network.

    Attributes:
        name: In words.
        mean, std: What is subtracted, and divided by; one number, or one for each of R, G, B.
        bgr: Then the channels are reversed.
    """

    name: str
    mean: Numbers
    std: Numbers
    bgr: bool = False

    def applied(self, classifier: Classifier) -> Classifier:
        """Return the classifier with this in the place of its own normalisation."""
        return Classifier(
            nn.Sequential(Reverse(), classifier.network) if self.bgr else classifier.network,
            shape=classifier.shape,
            class_names=classifier.class_names,
            mean=self.mean,
            std=self.std,
            layout=classifier.layout,
        )

    def of_channels(self, n: int) -> "Normalisation":
        """Repeat one number for each of `n` channels."""
        mean, std = (part * (n // len(part)) for part in (self.mean, self.std))
        return replace(self, mean=mean, std=std)

    @property
    def remedy(self) -> str:
        """What to do to have it."""
        numbers = (" ".join(f"{x:.6g}" for x in part) for part in (self.mean, self.std))
        flags = "--mean {} --std {}".format(*numbers)
        return f"{flags} and the channels reversed in the network" if self.bgr else flags


class Reverse(nn.Module):
    """RGB to BGR."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flip(1)


IMAGENET = Normalisation("the mean and standard deviation of ImageNet", *backbones.IMAGENET)
USUAL = (
    Normalisation("images in [0, 1] as they are", (0.0,), (1.0,)),
    Normalisation("images from -1 to 1", (0.5,), (0.5,)),
    IMAGENET,
    Normalisation("images from 0 to 255", (0.0,), (1 / LEVELS,)),
    Normalisation("images from -1024 to 1024", (0.5,), (1 / 2048,)),  # torchxrayvision
    Normalisation(  # Caffe, and Keras for VGG and ResNet
        "images from 0 to 255 in the order BGR, less the mean of ImageNet",
        IMAGENET.mean,
        (1 / LEVELS,),
        bgr=True,
    ),
)


def check_normalisation(
    classifier: Classifier, cohort: Cohort, predictions: Labels, order: Batch
) -> Iterator[Finding]:
    """See whether another usual normalisation gives a clearly higher accuracy.

    The best of them is chosen on a few images, and tested on others: the warning is given if its Wilson
    interval lies above that of the given one there, and above the share of the commonest class. `order`
    has the classes in turn, so that always answering one does not pass for accuracy. Nothing is tried
    where nothing could be clearly better.
    """
    cut = min(SCREENED, len(order) // 2)
    screened, tested = order[:cut], order[cut : cut + TESTED]

    def right(found: Labels, chosen: Batch) -> Proportion:
        return Proportion(int((found == cohort.labels[chosen]).sum()), len(chosen))

    given = right(predictions[tested], tested)
    if cut == 0 or wilson(given.n, given.n)[0] <= given.ci95[1]:
        return
    images = cohort.images.images(screened)
    tried = [
        (right(answers(other.applied(classifier), images), screened).hits, other)
        for other in others(classifier)
    ]
    hits, best = max(tried, key=lambda item: item[0])
    if hits <= right(predictions[screened], screened).hits:
        return
    found = right(answers(best.applied(classifier), cohort.images.images(tested)), tested)
    constant = Proportion(int(cohort.labels[tested].bincount().max()), len(tested))
    if found.ci95[0] > max(given.ci95[1], constant.rate):
        yield Finding(
            "warning",
            "normalisation",
            f"With {best.name} the accuracy would be {said(found)}, of each class alike, instead of "
            f"{said(given)}: the network was probably trained on those; give {best.remedy}.",
        )


def answers(classifier: Classifier, images: Images) -> Labels:
    """Return the predictions, and -1 for what a network cannot take in another range than its own."""
    try:
        with torch.no_grad():
            logits = classifier(images)
    except InputError:
        return torch.full((len(images),), -1)
    predictions: Labels = logits.argmax(1).where(~logits.isnan().any(1), -1)
    return predictions


def others(classifier: Classifier) -> list[Normalisation]:
    """List the usual normalisations that differ from the classifier's own."""
    mean, std = (tuple(part.flatten().tolist()) for part in (classifier.mean, classifier.std))
    own = Normalisation("the channels in the order BGR", mean, std, bgr=True)
    channels, colour = len(mean), classifier.shape[0] == RGB
    found = [
        item.of_channels(channels)
        for item in USUAL
        if len(item.mean) in (1, channels) and (item.bgr or not same(item, own))
    ]
    return [*found, own] if colour else found


def same(one: Normalisation, other: Normalisation) -> bool:
    """Return whether two send each level to nearly the same number, in units of the other's deviation."""
    scale, shift = torch.tensor(other.std), torch.tensor(other.mean)
    mean, std = torch.tensor(one.mean), torch.tensor(one.std)
    return bool(
        ((mean - shift).abs() <= SAME * scale).all() and ((std / scale - 1).abs() <= SAME).all()
    )
