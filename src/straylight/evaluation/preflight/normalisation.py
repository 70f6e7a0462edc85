"""Check the normalisation: whether another usual one gives a clearly higher accuracy."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from straylight.cohort.cohort import Cohort
from straylight.core.conventions import LEVELS
from straylight.core.errors import InputError
from straylight.core.tensors import Batch, Images, Labels
from straylight.data.images import RGB
from straylight.evaluation.metrics import Proportion, wilson_interval
from straylight.evaluation.preflight.accuracy import format_rate_ci
from straylight.evaluation.preflight.check_result import CheckResult
from straylight.models import backbones
from straylight.models.classifier import Classifier

SCREENED, TESTED = 16, 100  # images
SAME = 0.01  # relative difference of numbers that a network hardly notices

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Normalisation:
    """A linear map of images in [0, 1] to the input of a network.

    Attributes:
        name: For messages.
        mean, std: Subtracted, and divided by; one number, or one for each of R, G, B.
        bgr: Whether the channels are reversed afterwards.
    """

    name: str
    mean: Numbers
    std: Numbers
    bgr: bool = False

    def apply_to(self, classifier: Classifier) -> Classifier:
        """Return the classifier with this normalisation instead of its own."""
        return Classifier(
            nn.Sequential(_ReverseChannels(), classifier.network)
            if self.bgr
            else classifier.network,
            shape=classifier.shape,
            class_names=classifier.class_names,
            mean=self.mean,
            std=self.std,
            layout=classifier.layout,
        )

    def expand(self, n: int) -> "Normalisation":
        """Return it with a number for each of `n` channels."""
        mean, std = (part * (n // len(part)) for part in (self.mean, self.std))
        return replace(self, mean=mean, std=std)

    @property
    def remedy(self) -> str:
        """The options that set it."""
        numbers = (" ".join(f"{x:.6g}" for x in part) for part in (self.mean, self.std))
        flags = "--mean {} --std {}".format(*numbers)
        return f"{flags} and the channels reversed in the network" if self.bgr else flags


class _ReverseChannels(nn.Module):
    """Converts RGB to BGR."""

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
) -> Iterator[CheckResult]:
    """Check whether another usual normalisation gives a clearly higher accuracy.

    The best of them is chosen on a few images, and tested on others: the warning is given if its Wilson
    interval lies above that of the given one there, and above the share of the commonest class. `order`
    has the classes in turn, so that a constant prediction does not count as accuracy. Nothing is tried
    where no accuracy could be clearly higher.
    """
    cut = min(SCREENED, len(order) // 2)
    screened, tested = order[:cut], order[cut : cut + TESTED]

    def count_correct(predicted: Labels, chosen: Batch) -> Proportion:
        return Proportion(int((predicted == cohort.labels[chosen]).sum()), len(chosen))

    given = count_correct(predictions[tested], tested)
    if cut == 0 or wilson_interval(given.n, given.n)[0] <= given.ci95[1]:
        return
    images = cohort.images.images(screened)
    tried = []
    for candidate in _alternatives_to(classifier):
        predicted = _predict_or_reject(candidate.apply_to(classifier), images)
        tried.append((count_correct(predicted, screened).hits, candidate))
    hits, best = max(tried, key=lambda item: item[0])
    if hits <= count_correct(predictions[screened], screened).hits:
        return
    predicted = _predict_or_reject(best.apply_to(classifier), cohort.images.images(tested))
    better = count_correct(predicted, tested)
    constant = Proportion(int(cohort.labels[tested].bincount().max()), len(tested))
    if better.ci95[0] > max(given.ci95[1], constant.rate):
        yield CheckResult(
            "warning",
            "normalisation",
            f"With {best.name} the accuracy would be {format_rate_ci(better)}, with equally many images of "
            f"each class, instead of {format_rate_ci(given)}: the network was probably trained on those; "
            f"give {best.remedy}.",
        )


def _predict_or_reject(classifier: Classifier, images: Images) -> Labels:
    """Return the predictions, and -1 where the outputs in this range are NaN or refused."""
    try:
        with torch.no_grad():
            logits = classifier(images)
    except InputError:
        return torch.full((len(images),), -1)
    predictions: Labels = logits.argmax(1).where(~logits.isnan().any(1), -1)
    return predictions


def _alternatives_to(classifier: Classifier) -> list[Normalisation]:
    """List the usual normalisations that differ from the classifier's own."""
    mean, std = (tuple(part.flatten().tolist()) for part in (classifier.mean, classifier.std))
    own = Normalisation("the channels in the order BGR", mean, std, bgr=True)
    channels, colour = len(mean), classifier.shape[0] == RGB
    found = [
        item.expand(channels)
        for item in USUAL
        if len(item.mean) in (1, channels) and (item.bgr or not _is_equivalent(item, own))
    ]
    return [*found, own] if colour else found


def _is_equivalent(one: Normalisation, other: Normalisation) -> bool:
    """Return whether two map each level to nearly the same number, in units of the other's deviation."""
    scale, shift = torch.tensor(other.std), torch.tensor(other.mean)
    mean, std = torch.tensor(one.mean), torch.tensor(one.std)
    return bool(
        ((mean - shift).abs() <= SAME * scale).all() and ((std / scale - 1).abs() <= SAME).all()
    )
