"""A targeted perturbation for every class, and the attacker's choice among them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from straylight.attacks.gradient import Gradient
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.ball import Ball
from straylight.classifier import Classifier
from straylight.errors import InputError
from straylight.images import ImageSet
from straylight.tensors import Delta, Labels, as_received


@dataclass(frozen=True, kw_only=True)
class Sweep:
    r"""Run `Gradient` to every class and to none, and keep what fools most held-out photographs.

    A non-targeted loss leaves the classes that photographs are taken for, which need not be those of
    medical images; a perturbation that sends everything to one class does not care where it comes
    from (targeted universal perturbations: Hirano & Takemoto 2020, https://arxiv.org/abs/1911.06502).
    The choice is the attacker's: it is made on a tenth of the photographs, which nothing was learned
    on, and never on a medical image. Each class that held-out photographs are taken for has the same
    weight in it,

    .. math:: \operatorname{mean}_c\ P\bigl(f(x + \delta) \ne c \mid f(x) = c\bigr).

    Attributes:
        steps: Updates of each run.
        batch_size, kappa: As in `Gradient`.
    """

    steps: int = 100
    batch_size: int = 32
    kappa: float = 10.0

    takes_target: ClassVar[bool] = False
    threat_model: ClassVar[ThreatModel] = "T1"

    def __post_init__(self) -> None:
        self.run()

    def run(self) -> Gradient:
        """Return the attack of which there is a run for each class."""
        return Gradient(steps=self.steps, batch_size=self.batch_size, kappa=self.kappa)

    def planned(self, n_photographs: int, n_classes: int) -> int:
        return (n_classes + 1) * self.run().planned(n_photographs, n_classes)

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        if target is not None:
            raise InputError("a sweep chooses its target itself: use gradient for a given one.")
        learned, held_out = hold_out(photographs, generator)
        before = classifier.predict_all(held_out)
        best, delta, seen = -1.0, torch.zeros(1, *photographs.shape), 0
        for goal in (None, *range(len(classifier.class_names))):
            run = self.run()(classifier, learned, ball, target=goal, generator=generator)
            start, candidate = seen, delta
            for snapshot in run:
                candidate, seen = snapshot.delta, start + snapshot.images_seen
                yield Snapshot(delta, seen)
            if (found := balanced_fooling(classifier, held_out, before, candidate)) > best:
                best, delta = found, candidate
        yield Snapshot(delta, seen)


def hold_out(photographs: ImageSet, generator: torch.Generator) -> tuple[ImageSet, ImageSet]:
    """Split off a tenth of the photographs.

    Raises:
        InputError: If there are fewer than two.
    """
    if len(photographs) < 2:
        raise InputError("a sweep needs at least two photographs: it chooses on one of them.")
    order = torch.randperm(len(photographs), generator=generator)
    cut = max(1, len(photographs) // 10)
    learned, held_out = photographs.pixels[order[cut:]], photographs.pixels[order[:cut]]
    return ImageSet(learned, photographs.spec), ImageSet(held_out, photographs.spec)


def balanced_fooling(
    classifier: Classifier, images: ImageSet, before: Labels, delta: Delta
) -> float:
    """Fooling rate on images as received, in the mean over the classes predicted before."""
    after = torch.cat(
        [classifier.predict(as_received(batch + delta)) for batch in images.batches(64)]
    )
    changed = (after != before).double()
    found = [changed[before == c] for c in range(len(classifier.class_names))]
    return float(torch.stack([of_class.mean() for of_class in found if len(of_class)]).mean())
