"""A tiny audit of a network without training, and helpers to interrupt and edit audits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from straylight.attacks.gradient import Gradient
from straylight.audit.plan import Plan
from straylight.audit.run import run
from straylight.cohort.cohort import Cohort
from straylight.core.progress import Silent
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

SHAPE, NAMES = (3, 8, 8), ("dark", "light")


TINY_PLAN = Plan(zeta=0.2, methods=(Gradient(steps=2, batch_size=4),), control_seeds=1)


class Brightness(nn.Module):
    """Tells dark from light by the mean, with a little curvature."""

    def __init__(self, scale: float = 4.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.scale * images.flatten(1).mean(1)
        return torch.stack([-found, found + found.sin() / 10], 1)


def tiny_parts() -> tuple[Classifier, ImageSet, Cohort]:
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 2
    levels = 90 + 76 * labels[:, None, None, None] + rng.integers(-40, 40, (24, *SHAPE))
    cohort = Cohort(image_set(levels, "cohort"), torch.from_numpy(labels), NAMES)
    photographs = image_set(rng.integers(0, 256, (6, *SHAPE)), "photographs")
    return Classifier(Brightness(), shape=SHAPE, class_names=NAMES), photographs, cohort


def image_set(levels: np.ndarray, spec: str) -> ImageSet:
    return ImageSet(torch.from_numpy(levels.astype(np.uint8)), spec)


class KilledAt(Silent):
    """Stops as a key press would, when a piece of work starts or when so many epochs have begun."""

    def __init__(self, title: str = "", epoch: int = 0) -> None:
        self.title, self.epoch = title, epoch

    def start(self, title: str, total: int) -> None:
        if title == self.title:
            raise KeyboardInterrupt

    def advance(self, units: int, note: str = "") -> None:
        if self.epoch and note.startswith(f"epoch {self.epoch}/"):
            raise KeyboardInterrupt


def stop_audit(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(TINY_PLAN, *tiny_parts(), out, tracker=KilledAt("controls"))


def raise_interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def edit_audit(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    data = json.loads((folder / "audit.json").read_text())
    change(data)
    (folder / "audit.json").write_text(json.dumps(data))
    return folder
