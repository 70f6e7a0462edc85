"""Photographs made to look like the classifier's own images, without having seen one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from straylight.classifier import Classifier
from straylight.errors import InputError
from straylight.images import ImageSet
from straylight.surrogates.moments import Moments, remembered
from straylight.surrogates.style import Style
from straylight.surrogates.views import views
from straylight.tensors import LEVELS, Images, Pixels

CHUNK = 100


@dataclass(frozen=True, eq=False)
class Adapted:
    """Surrogates, and how far photographs were, and they are, from what the classifier remembers.

    Distances and style are None where the classifier remembers nothing (no batch norm).
    """

    images: ImageSet
    distance_before: float | None
    distance_after: float | None
    style: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """Learn a `Style` from the classifier alone, and apply it to many views of the photographs.

    The style is learned by descent on `Moments.distance`: the photographs' means and variances at the
    first batch norms are brought to the running ones. A medical image is never seen; the classifier
    itself says what its images look like. Where it has no batch norm, the views stay as they are.

    Attributes:
        n: Surrogates to make.
        steps: Updates of the style.
        batch_size: Photographs in an update.
        layers: Batch norms matched, the first ones.
        smallest_crop, mix: Of the views (see `views`).
    """

    n: int = 3000
    steps: int = 120
    batch_size: int = 24
    layers: int = 20
    smallest_crop: float = 0.15
    mix: float = 0.5

    def __post_init__(self) -> None:
        if min(self.n, self.steps, self.layers) < 1 or self.batch_size < 2:
            raise InputError(
                "adaptation needs n, steps and layers >= 1 and batch_size >= 2, "
                f"not {self.n}, {self.steps}, {self.layers} and {self.batch_size}."
            )
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
    ) -> Adapted:
        """Make the surrogates.

        Args:
            classifier: With its batch norms, not folded.
            photographs: Of its shape.
            generator: Source of all randomness.
            advance: Is told how many photographs more have been looked at.
        """
        style = Style(photographs.shape).requires_grad_(False)
        distances = list(self.learn(style, classifier, photographs, generator, advance))
        batches = [
            as_pixels(style(self.views(photographs, min(CHUNK, self.n - start), generator)))
            for start in range(0, self.n, CHUNK)
        ]
        images = ImageSet(torch.cat(batches), f"{photographs.spec}, adapted")
        if not distances:
            return Adapted(images, None, None, None)
        last = distances[-max(1, self.steps // 10) :]
        numbers = {name: parameter.tolist() for name, parameter in style.named_parameters()}
        return Adapted(images, distances[0], sum(last) / len(last), numbers)

    def learn(
        self,
        style: Style,
        classifier: Classifier,
        photographs: ImageSet,
        generator: torch.Generator,
        advance: Callable[[int], None],
    ) -> Iterator[float]:
        """Update `style` in place; yield the distance before each step."""
        if not remembered(classifier):
            return
        style.requires_grad_(True)
        optimiser = torch.optim.Adam(
            [
                {"params": [style.colours, style.offset], "lr": 0.02},
                {"params": [style.log_gains], "lr": 0.05},
            ]
        )
        parameters = list(style.parameters())
        with Moments(classifier, self.layers) as moments:
            for _ in range(self.steps):
                classifier(style(self.views(photographs, self.batch_size, generator)))
                distance = moments.distance()
                grads = torch.autograd.grad(distance, parameters)
                for parameter, grad in zip(parameters, grads, strict=True):
                    parameter.grad = grad
                optimiser.step()
                advance(self.batch_size)
                yield distance.item()
        style.requires_grad_(False)

    def views(self, photographs: ImageSet, n: int, generator: torch.Generator) -> Images:
        """Make `n` views of the photographs."""
        return views(
            photographs, n, smallest_crop=self.smallest_crop, mix=self.mix, generator=generator
        )


def as_pixels(images: Images) -> Pixels:
    """Round images in [0, 1] to 8 bits."""
    return (images * LEVELS).round().to(torch.uint8)
