"""Photographs made to look like the classifier's own images, without having seen one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

from straylight.attacks.adaptation.alignment import Aligned
from straylight.attacks.adaptation.information import indecision
from straylight.attacks.adaptation.statistics import Moments, remembered
from straylight.attacks.adaptation.style import Style
from straylight.attacks.adaptation.views import views
from straylight.core.errors import InputError
from straylight.core.tensors import Images, from_pixels, to_pixels
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

CHUNK = 100

Statistic = Literal["moments", "indecision"]


@dataclass(frozen=True, eq=False)
class Adapted:
    """Surrogates, and how far photographs were, and they are, from what the classifier remembers.

    Attributes:
        images: The surrogates.
        classifier: What an attack learns on with them: `Aligned` to them, or None for the classifier as
            it is.
        statistic: ``moments`` (`Moments.distance`) or, where the classifier has no batch norm,
            ``indecision``.
        distance_before, distance_after: By that statistic.
        style: The numbers of the `Style`.
    """

    images: ImageSet
    classifier: Aligned | None
    statistic: Statistic
    distance_before: float
    distance_after: float
    style: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """Learn a `Style` from the classifier alone, and apply it to many views of the photographs.

    The style is learned by descent on `Moments.distance`: the photographs' means and variances at the
    first batch norms are brought to the running ones. A medical image is never seen; the classifier
    itself says what its images look like. One without batch norms does not say as much: there it is
    descent on `indecision`, since its own images are each of one class, and of all classes.

    Attributes:
        n: Surrogates to make.
        steps: Updates of the style.
        batch_size: Photographs in an update.
        layers: Batch norms matched, the first ones.
        smallest_crop, mix: Of the views (see `views`).
        alignment: So many of the surrogates, at most, by whose statistics the classifier's features are
            aligned (`Aligned`); 0: not aligned. Without batch norms there is nothing to align to.
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
    ) -> Adapted:
        """Make the surrogates.

        Args:
            classifier: With its batch norms, not folded.
            photographs: Of its shape.
            generator: Source of all randomness.
            advance: Is told how many photographs more have been looked at.
        """
        style = Style(photographs.shape)
        distances = list(self.learn(style, classifier, photographs, generator, advance))
        batches = [
            to_pixels(self.styled(style, photographs, min(CHUNK, self.n - start), generator))
            for start in range(0, self.n, CHUNK)
        ]
        images, remembers = torch.cat(batches), bool(remembered(classifier))
        aligned = None
        if remembers and self.alignment:
            aligned = Aligned(classifier, from_pixels(images[: self.alignment]))
        last = distances[-max(1, self.steps // 10) :]
        return Adapted(
            ImageSet(images, f"{photographs.spec}, adapted"),
            aligned,
            "moments" if remembers else "indecision",
            distances[0],
            sum(last) / len(last),
            {name: parameter.tolist() for name, parameter in style.named_parameters()},
        )

    def cost(self, classifier: Classifier) -> int:
        """Return the `passes_per_step` of what an attack on the surrogates learns on."""
        aligned = self.alignment and remembered(classifier)
        return Aligned.passes_per_step if aligned else classifier.passes_per_step

    def learn(
        self,
        style: Style,
        classifier: Classifier,
        photographs: ImageSet,
        generator: torch.Generator,
        advance: Callable[[int], None],
    ) -> Iterator[float]:
        """Update `style` in place; yield the distance before each step."""
        optimiser = torch.optim.Adam(
            [
                {"params": [style.colours, style.offset], "lr": 0.02},
                {"params": [style.log_gains, style.log_noise], "lr": 0.05},
            ]
        )
        parameters = list(style.parameters())
        with Moments(classifier, self.layers) as moments:
            for _ in range(self.steps):
                logits = classifier(self.styled(style, photographs, self.batch_size, generator))
                distance = moments.distance() if moments.norms else indecision(logits)
                grads = torch.autograd.grad(distance, parameters)
                for parameter, grad in zip(parameters, grads, strict=True):
                    parameter.grad = grad
                optimiser.step()
                advance(self.batch_size)
                yield distance.item()
        style.requires_grad_(False)

    def styled(
        self, style: Style, photographs: ImageSet, n: int, generator: torch.Generator
    ) -> Images:
        """Make `n` views of the photographs in a style."""
        images = views(
            photographs, n, smallest_crop=self.smallest_crop, mix=self.mix, generator=generator
        )
        noise = torch.randn(images.shape, generator=generator)
        styled: Images = style(images, noise)
        return styled
