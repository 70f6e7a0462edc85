"""Mini-batch stochastic gradient on one shared perturbation: the main attack."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from straylight.attacks.ball import Ball
from straylight.attacks.descent import MomentumDescent, random_nudge
from straylight.attacks.losses import find_loss
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.core.errors import InputError
from straylight.core.tensor_files import read_delta
from straylight.core.tensors import Delta, Logits
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class Gradient:
    r"""Descend a loss on mini-batches of photographs, projecting after each step.

    Shafahi et al. 2020, https://arxiv.org/abs/1811.11304 (stochastic gradient on the perturbation);
    Zhang et al. 2020, https://arxiv.org/abs/2007.06189 (bounded margin loss, Adam, proxy photographs).

    .. math:: \min_{\|\delta\|_p \le \epsilon}\ \mathbb{E}_x\,
              \max\bigl(z_y - \max_{j \ne y} z_j,\, -\kappa\bigr), \qquad
              z = f(\mathrm{clip}(x + \delta))

    non-targeted, where :math:`y` is the prediction on the clean photograph; targeted,
    :math:`\max(\max_{j \ne t} z_j - z_t, -\kappa)`. Other losses: `straylight.attacks.losses`.
    Each step, with the gradient :math:`g` of a batch (`MomentumDescent` has the symbols),

    .. math:: v \leftarrow \mu\,v + g / \|g\|_2, \qquad
              \delta \leftarrow \Pi_\epsilon\bigl(\delta - \epsilon\,c_t\,s(v)\bigr).

    Differs from the papers: images are clipped to [0, 1] while crafting, since the target model will see
    them clipped; labels of photographs are the classifier's own predictions; the steps. Of more
    photographs than the steps look at, only so many are drawn and labelled.

    Attributes:
        steps: Number of updates.
        batch_size: Photographs in an update, drawn with replacement.
        loss: ``margin``, ``cross-entropy`` (bounded) or ``cosine`` (non-targeted only).
        kappa: Logit margin beyond which an image counts as fooled and pulls no more (``margin``).
        start: A perturbation to start from, a `.npy` file of an earlier audit (empty: zero). What
            it was made with is part of the threat model too.
    """

    steps: int = 300
    batch_size: int = 32
    loss: str = "margin"
    kappa: float = 10.0
    start: str = ""

    threat_model: ClassVar[ThreatModel] = "T1"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or not self.kappa >= 0:
            raise InputError(
                "gradient needs steps >= 1, batch_size >= 1 and kappa >= 0, "
                f"not {self.steps}, {self.batch_size} and {self.kappa}."
            )
        find_loss(self.loss, self.kappa)

    @property
    def takes_target(self) -> bool:
        return self.loss != "cosine"

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return self.steps * self.batch_size

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        if len(photographs) > self.steps * self.batch_size:
            order = torch.randperm(len(photographs), generator=generator)
            photographs = photographs.subset(order[: self.steps * self.batch_size])
        clean = torch.zeros(len(photographs), len(classifier.class_names))
        if target is None:
            clean = classifier.logits_all(photographs)
        start = torch.zeros(1, *photographs.shape)
        if self.start:
            start = read_start(self.start, photographs, ball)
        elif self.loss == "cosine":
            start = random_nudge(photographs.shape, ball, generator)
        yield from self.descend_from(
            start, classifier, photographs, clean, ball, target=target, generator=generator
        )

    def descend_from(
        self,
        start: Delta,
        classifier: Classifier,
        photographs: ImageSet,
        clean: Logits,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        """Take the steps from a perturbation, given the logits `clean` of the clean photographs."""
        loss_of, descent = find_loss(self.loss, self.kappa), MomentumDescent(ball, self.steps)
        delta = start.clone()
        for step in range(self.steps):
            batch = torch.randint(len(photographs), (self.batch_size,), generator=generator)
            images = photographs.images(batch)
            point = delta.detach().requires_grad_()
            logits = classifier.attack_logits((images + point).clamp(0, 1), images)
            loss = loss_of(logits, clean[batch], target).mean()
            (grad,) = torch.autograd.grad(loss, point)
            delta = descent.step(delta, grad)
            yield Snapshot(delta, (step + 1) * self.batch_size)


def read_start(file: str, photographs: ImageSet, ball: Ball) -> Delta:
    """Read a perturbation and project it into the ball.

    Raises:
        InputError: If the file cannot be read or does not fit the images.
    """
    delta = read_delta(Path(file))
    if delta.shape[1:] != photographs.shape or not delta.isfinite().all():
        raise InputError(
            f"{file} holds a perturbation of shape {tuple(delta.shape[1:])}, or one that is not "
            f"finite; the images have shape {photographs.shape}."
        )
    return ball.project(delta)
