"""The paper's algorithm: one photograph at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F

from straylight.attacks.ball import Ball
from straylight.attacks.protocol import Snapshot, ThreatModel
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class Sequential:
    r"""Accumulate one-step perturbations of single photographs, each kept only if it succeeds.

    Minagi, Hirano & Takemoto 2022, https://doi.org/10.3390/jimaging8020038, algorithm of section 2.3;
    after Moosavi-Dezfooli et al. 2017, https://arxiv.org/abs/1610.08401, and, targeted, Hirano &
    Takemoto 2020, https://arxiv.org/abs/1911.06502. For each photograph :math:`x` not yet fooled,

    .. math:: a = x + \delta \pm \alpha\,\mathrm{sign}\,\nabla L(f(x + \delta), y), \qquad
              \delta \leftarrow \mathrm{Proj}_p(a - x) \text{ if } a \text{ changes the prediction.}

    Symbols: `step_size` is the FGSM's eps there (0.0005 on images in [-1, 1]), `ball.eps` its ξ.

    Kept from the original: the step is always the L-infinity sign step, also inside an L2 ball; a
    step is kept only if that single step succeeds; non-targeted, :math:`y` is the current prediction
    and a photograph is skipped once its prediction differs from the clean one; :math:`x + \delta` is
    never clipped while crafting; one photograph a step; a fixed number of epochs (the original's
    early stop never fires).
    Differs: the loss is the cross-entropy of logits, not of softmax outputs clipped at 1e-7, so a
    saturated prediction still has a gradient; all photographs are shuffled together, not within
    shards of 1,000.

    Attributes:
        step_size: Length of a step in each pixel, on images in [0, 1].
        epochs: Passes over all photographs.
    """

    step_size: float = 0.00025
    epochs: int = 1

    takes_target: ClassVar[bool] = True
    threat_model: ClassVar[ThreatModel] = "T1"

    def __post_init__(self) -> None:
        if not self.step_size > 0 or self.epochs < 1:
            raise InputError(
                "sequential needs step_size > 0 and epochs >= 1, "
                f"not {self.step_size} and {self.epochs}."
            )

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return self.epochs * n_photographs

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        clean = classifier.predict_all(photographs)
        delta = torch.zeros(1, *photographs.shape)
        seen = 0
        for _ in range(self.epochs):
            for index in torch.randperm(len(photographs), generator=generator).tolist():
                image = photographs.images(slice(index, index + 1))
                attacked = (image + delta).requires_grad_()
                logits = classifier(attacked)
                current = int(logits.argmax())
                unfooled = current == int(clean[index]) if target is None else current != target
                if unfooled:
                    label = current if target is None else target
                    loss = F.cross_entropy(logits, torch.tensor([label]))
                    (grad,) = torch.autograd.grad(loss, attacked)
                    uphill = 1 if target is None else -1
                    stepped = attacked.detach() + uphill * self.step_size * grad.sign()
                    after = int(classifier.predict(stepped))
                    if after != current if target is None else after == target:
                        delta = ball.project(stepped - image)
                seen += 1
                yield Snapshot(delta, seen)
