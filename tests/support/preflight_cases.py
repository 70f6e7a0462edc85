"""Networks and cohorts for preflight, made to have one fault each."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from straylight.cohort.cohort import Cohort
from straylight.core.tensors import to_pixels
from straylight.data.images import ImageSet
from straylight.evaluation.preflight.check_result import CheckResult
from straylight.evaluation.preflight.normalisation import USUAL, Normalisation
from straylight.evaluation.preflight.run import preflight
from straylight.models.classifier import Classifier

SHAPE = (3, 8, 8)


COLOURS = torch.tensor([[0.3, 0.4, 0.5], [0.7, 0.6, 0.4]])  # of the two classes


HALF = USUAL[1]


def make_cohort(counts: tuple[int, ...], colours: Tensor = COLOURS, seed: int = 0) -> Cohort:
    """Noisy images of one colour for each class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    noise = 0.05 * torch.randn(len(labels), *SHAPE, generator=generator)
    pixels = to_pixels(colours[labels][:, :, None, None] + noise)
    return Cohort(ImageSet(pixels, "cohort"), labels, tuple("abcdefg"[: len(counts)]))


def mean_brightness(images: Tensor) -> Tensor:
    return 10 * images.mean((1, 2, 3))


class LinearNet(nn.Module):
    """Logits (-z, z), with z what is made of the images' mean, which is positive for class b."""

    def __init__(self, change: Callable[[Tensor], Tensor] | nn.Module = lambda z: z) -> None:
        super().__init__()
        self.change = change

    def forward(self, images: Tensor) -> Tensor:
        z = self.change(mean_brightness(images))
        return torch.stack([-z, z], 1)


def make_classifier(
    network: nn.Module,
    normalisation: Normalisation = HALF,
    names: tuple[str, ...] = ("a", "b"),
    **card: str,
) -> Classifier:
    return Classifier(
        network,
        shape=SHAPE,
        class_names=names,
        mean=normalisation.expand(3).mean,
        std=normalisation.expand(3).std,
        card=dict(card),
    )


def run_preflight(network: nn.Module, cohort: Cohort | None = None) -> tuple[CheckResult, ...]:
    return preflight(make_classifier(network), cohort or make_cohort((60, 60)))


class TunedNet(nn.Module):
    """Says class b where the mean colour, in the unit it learned, is near that of b."""

    def __init__(self, learned: Normalisation) -> None:
        super().__init__()
        learned = learned.expand(3)
        mean, self.std = torch.tensor(learned.mean), torch.tensor(learned.std)
        centre = (COLOURS[1] - mean) / self.std
        self.centre = centre.flip(0) if learned.bgr else centre

    def forward(self, images: Tensor) -> Tensor:
        distance = (images.mean((2, 3)) - self.centre) * self.std
        z = 1 - (distance / 0.05).square().sum(1)
        return torch.stack([-z, z], 1)
