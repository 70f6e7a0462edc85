"""Adapt photographs to the images that a classifier knows, without seeing one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

from straylight.attacks.adaptation.alignment import AlignedClassifier
from straylight.attacks.adaptation.information import information_loss
from straylight.attacks.adaptation.statistics import BatchNormMoments, list_batch_norms
from straylight.attacks.adaptation.style import StyleTransform
from straylight.attacks.adaptation.views import random_views
from straylight.core.errors import InputError
from straylight.core.tensors import Images, from_pixels, to_pixels
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

CHUNK = 100

Statistic = Literal["moments", "indecision"]


@dataclass(frozen=True, eq=False)
class AdaptedPhotographs:
    """Adapted photographs, with their distance from the classifier's images before and after.

    Attributes:
        images: The adapted photographs.
        classifier: What an attack learns on with them: the classifier aligned to them, or None for the
            classifier as it is.
        statistic: ``moments`` (`BatchNormMoments.distance`), or ``indecision`` (`information_loss`) if the
            classifier has no batch norm.
        distance_before, distance_after: By that statistic.
        style: The parameters of the `StyleTransform`.
    """

    images: ImageSet
    classifier: AlignedClassifier | None
    statistic: Statistic
    distance_before: float
    distance_after: float
    style: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """Learns a `StyleTransform` from the classifier alone, and applies it to many views of photographs.

    The style is learned by descent on `BatchNormMoments.distance`: the photographs' means and variances at
    the first batch norms are matched to the running ones. No medical image is used: the batch norms keep
    the statistics of the classifier's own images. A classifier without batch norms keeps none. There the
    descent is on `information_loss`, since its own images are each of one class, and of all classes.

    Attributes:
        n: Adapted photographs to make.
        steps: Updates of the style.
        batch_size: Photographs in an update.
        layers: Number of batch norms to match, from the first.
        smallest_crop, mix: Settings of the views (see `random_views`).
        alignment: Number of adapted photographs, at most, by whose statistics the classifier's features
            are aligned (`AlignedClassifier`); 0: not aligned. It needs batch norms.
    """

    n: int = 3000
    steps: int = 120
    batch_size: int = 24
    layers: int = 20
    smallest_crop: float = 0.15
    mix: float = 0.5
    alignment: int = 256

    def __post_init__(self) -> None:
        if min(self.n, self.steps, self.layers) < 1 or self.batch_size < 2:
            raise InputError(
                "adaptation needs n, steps and layers >= 1 and batch_size >= 2, "
                f"not {self.n}, {self.steps}, {self.layers} and {self.batch_size}."
            )
        if self.alignment < 0:
            raise InputError(f"adaptation needs alignment >= 0, not {self.alignment}.")
        if not (0 < self.smallest_crop <= 1 and 0 <= self.mix <= 1 / 2):
            raise InputError(
                "adaptation needs smallest_crop in (0, 1] and mix in [0, 1/2], "
                f"not {self.smallest_crop} and {self.mix}."
            )

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        *,
        generator: torch.Generator,
        advance: Callable[[int], None] = lambda _: None,
    ) -> AdaptedPhotographs:
        """Adapt the photographs.

        Args:
            classifier: With its batch norms, not folded.
            photographs: The photographs, in its shape.
            generator: Source of all randomness.
            advance: Receives the number of photographs looked at since the last call.
        """
        style = StyleTransform(photographs.shape)
        distances = list(self._learn(style, classifier, photographs, generator, advance))
        batches = [
            to_pixels(self._make_views(style, photographs, min(CHUNK, self.n - start), generator))
            for start in range(0, self.n, CHUNK)
        ]
        images, has_norms = torch.cat(batches), bool(list_batch_norms(classifier))
        aligned = None
        if has_norms and self.alignment:
            aligned = AlignedClassifier(classifier, from_pixels(images[: self.alignment]))
        last = distances[-max(1, self.steps // 10) :]
        return AdaptedPhotographs(
            ImageSet(images, f"{photographs.spec}, adapted"),
            aligned,
            "moments" if has_norms else "indecision",
            distances[0],
            sum(last) / len(last),
            {name: parameter.tolist() for name, parameter in style.named_parameters()},
        )

    def cost(self, classifier: Classifier) -> int:
        """Return the `passes_per_step` of an attack on the adapted photographs."""
        aligned = self.alignment and list_batch_norms(classifier)
        return AlignedClassifier.passes_per_step if aligned else classifier.passes_per_step

    def _learn(
        self,
        style: StyleTransform,
        classifier: Classifier,
        photographs: ImageSet,
        generator: torch.Generator,
        advance: Callable[[int], None],
    ) -> Iterator[float]:
        """Update `style` in place, and yield the distance before each step."""
        optimiser = torch.optim.Adam(
            [
                {"params": [style.colours, style.offset], "lr": 0.02},
                {"params": [style.log_gains, style.log_noise], "lr": 0.05},
            ]
        )
        parameters = list(style.parameters())
        with BatchNormMoments(classifier, self.layers) as moments:
            for _ in range(self.steps):
                logits = classifier(
                    self._make_views(style, photographs, self.batch_size, generator)
                )
                distance = moments.distance() if moments.norms else information_loss(logits)
                grads = torch.autograd.grad(distance, parameters)
                for parameter, grad in zip(parameters, grads, strict=True):
                    parameter.grad = grad
                optimiser.step()
                advance(self.batch_size)
                yield distance.item()
        style.requires_grad_(False)

    def _make_views(
        self, style: StyleTransform, photographs: ImageSet, n: int, generator: torch.Generator
    ) -> Images:
        """Make `n` views of the photographs in a style."""
        images = random_views(
            photographs, n, smallest_crop=self.smallest_crop, mix=self.mix, generator=generator
        )
        noise = torch.randn(images.shape, generator=generator)
        styled: Images = style(images, noise)
        return styled
