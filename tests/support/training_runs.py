"""A quick recipe, and trainings that stop."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from straylight.cohort.cohort import Cohort
from straylight.core.progress import Silent
from straylight.training.epochs import Training
from straylight.training.recipe import Recipe
from tiny_audits import NAMES, image_set

RECIPE = Recipe(backbone="test_resnet", weights="none", epochs=3, batch_size=8, learning_rate=0.05)


class KilledAt(Silent):
    """Stops the training as a key press would, at a given step."""

    def __init__(self, step: int) -> None:
        self.left = step

    def advance(self, units: int, note: str = "") -> None:
        self.left -= bool(note)
        if self.left == 0:
            raise KeyboardInterrupt


def training(recipe: Recipe, data: Cohort, network: nn.Module, out: Path) -> Training:
    index = torch.arange(len(data))
    return Training(data, recipe, train=index, validation=index, network=network, out=out)


def training_data() -> Cohort:
    labels = torch.arange(24) % 2
    levels = (
        np.random.default_rng(0).integers(0, 200, (24, 3, 32, 32))
        + 50 * labels.numpy()[:, None, None, None]
    )
    return Cohort(image_set(levels, "training"), labels, NAMES)
