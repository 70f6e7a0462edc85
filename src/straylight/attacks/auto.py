"""The strongest attack for a budget of passes: every goal tried, the best two carried on."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import ClassVar

import torch

from straylight.attacks.ball import Ball
from straylight.attacks.gradient import Gradient
from straylight.attacks.losses import margin
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.core.errors import InputError
from straylight.core.tensors import Delta, Logits, as_received
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

FINALISTS = 2
FEWEST_STEPS = 5  # of a goal that is tried: below that its rate says nothing


@dataclass(frozen=True, kw_only=True)
class Auto:
    r"""Run `Gradient` to every class and to none, carry the best two on, and keep the better.

    A non-targeted loss leaves the classes that photographs are taken for, which need not be those of
    medical images; a perturbation that sends everything to one class does not care where it comes
    from (targeted universal perturbations: Hirano & Takemoto 2020, https://arxiv.org/abs/1911.06502).
    Which goal is best is the attacker's own choice: it is made on photographs that nothing was
    learned on, and never on a medical image. How sure the classifier is of medical images, and how often
    their classes are, is not known. So what counts is how far :math:`\delta` lowers the margin
    :math:`m_c(x) = z_c - \max_{j \ne c} z_j`, with the fooling rate to expect if medical margins are
    uniform in :math:`[0, \kappa]`, and the classes' shares halfway between the shares :math:`\pi_c`
    that held-out photographs are taken for and equal ones:

    .. math:: \sum_c \tfrac{1}{2} \bigl(\pi_c + \tfrac{1}{K}\bigr)\, \frac{1}{\kappa}\,
              \mathbb{E}\bigl[\mathrm{clip}(m_c(x) - m_c(x + \delta),\, 0,\, \kappa) \mid
              f(x) = c\bigr].

    For a class that no photograph is taken for the mean is over all of them.

    Half of the passes go to trying all goals, half to the best two (one round of successive halving,
    Jamieson & Talwalkar 2016, https://arxiv.org/abs/1502.07943).

    Attributes:
        passes: Images that it may send through the classifier, forwards and backwards. With more
            classes than this can try, those that photographs are taken for most often are tried.
        batch_size, kappa: As in `Gradient`.
    """

    passes: int = 40_000
    batch_size: int = 32
    kappa: float = 10.0

    takes_target: ClassVar[bool] = False
    threat_model: ClassVar[ThreatModel] = "T1"

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise InputError(f"auto needs passes >= 1, not {self.passes}.")
        if not self.kappa > 0:
            raise InputError(f"auto needs kappa > 0, not {self.kappa}.")
        self.run(1)

    def run(self, steps: int) -> Gradient:
        """Return the attack that is run to each goal."""
        return Gradient(steps=steps, batch_size=self.batch_size, kappa=self.kappa)

    def schedule(self, n_photographs: int, n_classes: int, cost: int = 2) -> tuple[int, int, int]:
        """Return how many goals are tried, the steps of each trial, and of each of the best two.

        Raises:
            InputError: If the passes are too few to try two goals.
        """
        held_out = share_of(n_photographs)
        step, look = cost * self.batch_size, (cost - 1) * held_out
        for goals in range(n_classes + 1, 1, -1):
            left = self.passes - n_photographs - (goals + FINALISTS) * look
            trial, final = left // (2 * goals * step), left // (2 * FINALISTS * step)
            if trial >= FEWEST_STEPS:
                return goals, trial, final
        needed = n_photographs + (2 + FINALISTS) * look + 4 * FEWEST_STEPS * step
        raise InputError(
            f"auto cannot try two goals on {n_photographs} photographs with {self.passes} passes: "
            f"give passes={needed} or more."
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
            raise InputError("auto chooses its target itself: use gradient for a given one.")
        n_classes = len(classifier.class_names)
        cost = classifier.passes_per_step
        goals, trial, final = self.schedule(len(photographs), n_classes, cost)
        learned, held_out = hold_out(photographs, generator)
        clean, before = classifier.logits_all(learned), classifier.logits_all(held_out)
        frequent = clean.argmax(1).bincount(minlength=n_classes).argsort(descending=True)
        found: dict[int | None, tuple[float, Delta]] = {}
        best, seen = torch.zeros(1, *photographs.shape), 0
        tried: list[int | None] = [None, *frequent[: goals - 1].tolist()]
        for steps, count in ((trial, goals), (final, FINALISTS)):
            for goal in tried[:count]:
                _, delta = found.get(goal, (0.0, None))
                for snapshot in self.run(steps).descend(
                    classifier, learned, clean, ball, target=goal, generator=generator, start=delta
                ):
                    delta, seen = snapshot.delta, seen + self.batch_size
                    yield Snapshot(best, seen)
                assert delta is not None
                rate = expected_fooling(classifier, held_out, before, delta, self.kappa)
                found[goal] = max(found.get(goal, (-1.0, delta)), (rate, delta), key=itemgetter(0))
                best = max(found.values(), key=itemgetter(0))[1]
            tried.sort(key=lambda goal: -found[goal][0])
        yield Snapshot(best, seen)


def share_of(n_photographs: int) -> int:
    """Return how many photographs are held out: a tenth, at least one and at most 200."""
    return min(max(1, n_photographs // 10), 200)


def hold_out(photographs: ImageSet, generator: torch.Generator) -> tuple[ImageSet, ImageSet]:
    """Split off a part of the photographs.

    Raises:
        InputError: If there are fewer than two.
    """
    if len(photographs) < 2:
        raise InputError("auto needs at least two photographs: it chooses on one of them.")
    order = torch.randperm(len(photographs), generator=generator)
    cut = share_of(len(photographs))
    return photographs.subset(order[cut:]), photographs.subset(order[:cut])


def expected_fooling(
    classifier: Classifier, images: ImageSet, before: Logits, delta: Delta, kappa: float
) -> float:
    """Fooling rate that an attacker may expect, as `Auto` says; images are taken as received."""
    with torch.no_grad():
        after = torch.cat(
            [classifier.attacked(as_received(batch + delta), batch) for batch in images.batches(64)]
        )
    n_classes, labels = before.shape[1], before.argmax(1)
    shares = labels.bincount(minlength=n_classes).double() / len(images)
    weights = (shares + 1 / n_classes) / 2
    rate = 0.0
    for label in range(n_classes):
        of_label = labels == label
        chosen = of_label if bool(of_label.any()) else torch.ones_like(of_label)
        names = torch.full((int(chosen.sum()),), label)
        fall = margin(before[chosen], names) - margin(after[chosen], names)
        rate += float(weights[label] * (fall.clamp(0, kappa) / kappa).double().mean())
    return rate
