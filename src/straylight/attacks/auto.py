"""The strongest attack for a budget of image passes: try every goal, continue the best two."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import ClassVar

import torch

from straylight.attacks.ball import Ball
from straylight.attacks.catalogue import attacks_where
from straylight.attacks.gradient import Gradient
from straylight.attacks.losses import logit_margin
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.core.errors import InputError, join_names
from straylight.core.tensors import Delta, Logits, quantize
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

FINALISTS = 2
FEWEST_STEPS = 5  # of a goal that is tried: below that its rate says nothing


@dataclass(frozen=True, kw_only=True)
class Auto:
    r"""Run `Gradient` to every class and to none, continue the best two, and keep the better.

    A non-targeted loss moves photographs out of the classes they are predicted as, which need not be the
    classes of medical images. A perturbation that sends everything to one class does not depend on the
    class it starts from (targeted universal perturbations: Hirano & Takemoto 2020,
    https://arxiv.org/abs/1911.06502). The attacker chooses the goal on held-out photographs, never on a
    medical image. The classifier's confidence on medical images and the shares of their classes are not
    known. So a goal is judged by how far :math:`\delta` lowers the margin
    :math:`m_c(x) = z_c - \max_{j \ne c} z_j`: by the fooling rate to expect if medical margins are
    uniform in :math:`[0, \kappa]`, and the classes' shares are halfway between equal ones and the
    shares :math:`\pi_c` of the predictions for held-out photographs:

    .. math:: \sum_c \tfrac{1}{2} \bigl(\pi_c + \tfrac{1}{K}\bigr)\, \frac{1}{\kappa}\,
              \mathbb{E}\bigl[\mathrm{clip}(m_c(x) - m_c(x + \delta),\, 0,\, \kappa) \mid
              f(x) = c\bigr].

    For a class that no photograph is predicted as, the mean is over all photographs.

    Half of the image passes go to trying all goals, half to the best two (one round of successive halving,
    Jamieson & Talwalkar 2016, https://arxiv.org/abs/1502.07943).

    Attributes:
        image_passes: Images that it may send through the classifier, forwards and backwards. With more
            classes than this can try, it tries those that photographs are predicted as most often.
        batch_size, kappa: As in `Gradient`.
    """

    image_passes: int = 40_000
    batch_size: int = 32
    kappa: float = 10.0

    takes_target: ClassVar[bool] = False
    threat_model: ClassVar[ThreatModel] = "T1"

    def __post_init__(self) -> None:
        if self.image_passes < 1:
            raise InputError(f"auto needs image_passes >= 1, not {self.image_passes}.")
        if not self.kappa > 0:
            raise InputError(f"auto needs kappa > 0, not {self.kappa}.")
        self.gradient_for(1)

    def gradient_for(self, steps: int) -> Gradient:
        """Return the attack that is run to each goal, with so many steps."""
        return Gradient(steps=steps, batch_size=self.batch_size, kappa=self.kappa)

    def schedule(self, n_photographs: int, n_classes: int, cost: int = 2) -> tuple[int, int, int]:
        """Return how many goals are tried, the steps of each trial, and of each of the best two.

        Raises:
            InputError: If the image passes are too few to try two goals.
        """
        held_out = held_out_size(n_photographs)
        step, look = cost * self.batch_size, (cost - 1) * held_out
        for goals in range(n_classes + 1, 1, -1):
            left = self.image_passes - n_photographs - (goals + FINALISTS) * look
            trial, final = left // (2 * goals * step), left // (2 * FINALISTS * step)
            if trial >= FEWEST_STEPS:
                return goals, trial, final
        needed = n_photographs + (2 + FINALISTS) * look + 4 * FEWEST_STEPS * step
        raise InputError(
            f"auto cannot try two goals on {n_photographs} photographs with {self.image_passes} "
            f"image passes: give image_passes={needed} or more."
        )

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        goals, trial, final = self.schedule(n_photographs, n_classes, cost)
        return (goals * trial + FINALISTS * final) * self.batch_size

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
            others = attacks_where(lambda attack: attack.takes_target)
            raise InputError(
                f"auto chooses its target itself: for a given target use one of {join_names(others)}."
            )
        n_classes = len(classifier.class_names)
        cost = classifier.passes_per_step
        goals, trial, final = self.schedule(len(photographs), n_classes, cost)
        learned, held_out = split_held_out(photographs, generator)
        clean, before = classifier.logits_all(learned), classifier.logits_all(held_out)
        frequent = clean.argmax(1).bincount(minlength=n_classes).argsort(descending=True)
        found: dict[int | None, tuple[float, Delta]] = {}
        best, seen = torch.zeros(1, *photographs.shape), 0
        tried: list[int | None] = [None, *frequent[: goals - 1].tolist()]
        for steps, count in ((trial, goals), (final, FINALISTS)):
            for goal in tried[:count]:
                _, delta = found.get(goal, (0.0, torch.zeros(1, *photographs.shape)))
                for snapshot in self.gradient_for(steps).descend_from(
                    delta, classifier, learned, clean, ball, target=goal, generator=generator
                ):
                    delta, seen = snapshot.delta, seen + self.batch_size
                    yield Snapshot(best, seen)
                rate = expected_fooling_rate(classifier, held_out, before, delta, self.kappa)
                found[goal] = max(found.get(goal, (-1.0, delta)), (rate, delta), key=itemgetter(0))
                best = max(found.values(), key=itemgetter(0))[1]
            tried.sort(key=lambda goal: -found[goal][0])
        yield Snapshot(best, seen)


def held_out_size(n_photographs: int) -> int:
    """Return how many photographs are held out: a tenth, at least one and at most 200."""
    return min(max(1, n_photographs // 10), 200)


def split_held_out(photographs: ImageSet, generator: torch.Generator) -> tuple[ImageSet, ImageSet]:
    """Split the photographs into those to learn on and those to choose on.

    Raises:
        InputError: If there are fewer than two.
    """
    if len(photographs) < 2:
        raise InputError("auto needs at least two photographs: it chooses on one of them.")
    order = torch.randperm(len(photographs), generator=generator)
    cut = held_out_size(len(photographs))
    return photographs.subset(order[cut:]), photographs.subset(order[:cut])


def expected_fooling_rate(
    classifier: Classifier, images: ImageSet, before: Logits, delta: Delta, kappa: float
) -> float:
    """Return the fooling rate to expect, by the equation of `Auto`, on images of 8 bits."""
    with torch.no_grad():
        after = torch.cat(
            [
                classifier.attack_logits(quantize(batch + delta), batch)
                for batch in images.batches(64)
            ]
        )
    n_classes, labels = before.shape[1], before.argmax(1)
    shares = labels.bincount(minlength=n_classes).double() / len(images)
    weights = (shares + 1 / n_classes) / 2
    rate = 0.0
    for label in range(n_classes):
        of_label = labels == label
        chosen = of_label if bool(of_label.any()) else torch.ones_like(of_label)
        names = torch.full((int(chosen.sum()),), label)
        fall = logit_margin(before[chosen], names) - logit_margin(after[chosen], names)
        rate += float(weights[label] * (fall.clamp(0, kappa) / kappa).double().mean())
    return rate
