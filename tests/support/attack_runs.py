"""Quick attacks, and helpers that run one."""

import torch
from torch import nn

from straylight.attacks.auto import Auto
from straylight.attacks.ball import Ball
from straylight.attacks.catalogue import ATTACKS
from straylight.attacks.disrupt import Disrupt
from straylight.attacks.gradient import Gradient
from straylight.attacks.lift import Lift
from straylight.attacks.protocol import Attack
from straylight.attacks.sequential import Sequential
from straylight.attacks.sga import Sga
from straylight.core.conventions import Shape
from straylight.core.tensors import Delta
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

SHAPES: list[Shape] = [(1, 8, 8), (3, 8, 8), (3, 7, 9)]


# 50 photographs and batches of 7 leave a ragged last batch of predictions and of draws.
QUICK: list[Attack] = [
    Gradient(steps=40, batch_size=7),
    Sequential(step_size=0.01, epochs=2),
    Auto(image_passes=700, batch_size=7),
    Sga(epochs=2, outer=20, inner=5, rounds=2),
    Lift(steps=6, batch_size=7),
    Disrupt(steps=6, batch_size=7),
]
# Any other attack of the catalogue runs with a little of its usual effort.
QUICK += [
    entry.make(**{setting: min(value, 7) for setting, value in entry.effort.items()})
    for entry in ATTACKS.values()
    if entry.make not in set(map(type, QUICK))
]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def last(
    attack: Attack,
    classifier: Classifier,
    photographs: ImageSet,
    ball: Ball,
    target: int | None = None,
) -> Delta:
    *_, snapshot = attack(classifier, photographs, ball, target=target, generator=rng())
    return snapshot.delta


def fooled(classifier: Classifier, photographs: ImageSet, delta: Delta) -> float:
    images = photographs.images(slice(None))
    changed = classifier.predict(images + delta) != classifier.predict(images)
    return float(changed.float().mean())


class Remembering(nn.Module):
    """A batch norm right behind the pixels: it remembers the colours of its images."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        level = self.norm(images).mean((1, 2, 3))
        return torch.stack([-level, level], 1)
