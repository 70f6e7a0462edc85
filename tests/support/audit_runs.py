"""A small audit of a trained network, and helpers to interrupt and compare audits."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from straylight.attacks.adaptation.adapt import Adaptation
from straylight.attacks.gradient import Gradient
from straylight.attacks.sequential import Sequential
from straylight.audit.plan import Plan
from straylight.audit.results import Audit
from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.core.progress import Silent
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.models.classifier import Classifier
from straylight.training.finetune import finetune
from straylight.training.recipe import Recipe

Parts = tuple[Classifier, ImageSet, Cohort]

PLAN = Plan(
    zeta=0.1,
    methods=(Gradient(steps=8, batch_size=8), Sequential(step_size=0.01)),
    targets=("light",),
    targeted_methods=(Gradient(steps=8, batch_size=8),),
    control_seeds=2,
)


def train_parts(folder: Path) -> Parts:
    """A network trained on two shades, photographs, and 24 medical images."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 12)
    images = rng.integers(90, 130, (24, 32, 32, 3)) + 30 * labels[:, None, None, None]
    path = folder / "cohort.npz"
    names = np.array(["dark", "light"])
    np.savez(path, images=images.astype(np.uint8), labels=labels, class_names=names)
    cohort = load_cohort(path, (3, 32, 32))
    recipe = Recipe(
        backbone="test_resnet", weights="none", epochs=3, batch_size=8, learning_rate=0.05
    )
    classifier = finetune(cohort, recipe, path.parent / "model")
    return classifier, load_natural("builtin:photos", (3, 32, 32), n=33), cohort


def comparable(audit: Audit) -> list[object]:
    return [replace(item, seconds=0.0) for item in audit.perturbations]


class KilledAfter(Silent):
    """Stops as a key press would, when the n-th piece of work starts."""

    def __init__(self, starts: int) -> None:
        self.left = starts

    def start(self, title: str, total: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


QUICK = Adaptation(n=40, steps=3, batch_size=4)
