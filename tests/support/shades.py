"""A linear classifier of brightness, its cohort of two shades, and plans that take no time."""

from typing import Any

import torch

from oracles import Linear
from straylight import Classifier, Cohort, ImageSet, Plan
from straylight.attacks.gradient import Gradient
from straylight.data.photographs.load import load_natural

SHAPE = (1, 8, 8)
NAMES = ("dark", "light")
Parts = tuple[Classifier, ImageSet, Cohort]


def brightness(sign: float = 1.0) -> Classifier:
    """Calls an image light where its mean is above one half (or below it, with the other sign)."""
    network = Linear(torch.full((3, 8, 8), sign * 4 / 192), -sign * 2.0)
    return Classifier(network, shape=SHAPE, class_names=NAMES, mean=(0.0,) * 3, std=(1.0,) * 3)


def cohort_of(levels: tuple[int, int] = (110, 150)) -> Cohort:
    """Twenty images of each of two shades, with one darker row."""
    shades = torch.tensor(levels).repeat_interleave(20) + torch.arange(40) % 5
    pixels = shades.to(torch.uint8)[:, None, None, None].expand(40, *SHAPE).clone()
    pixels[:, :, 0] -= 1
    return Cohort(ImageSet(pixels, "shades"), torch.arange(2).repeat_interleave(20), NAMES)


def shade_parts() -> Parts:
    """The classifier, photographs and the cohort."""
    return brightness(), load_natural("builtin:photos", SHAPE, n=40), cohort_of()


def quick(**settings: Any) -> Plan:  # noqa: ANN401
    """A plan that takes no time."""
    usual: dict[str, Any] = {"zeta": 0.2, "methods": Gradient(steps=2, batch_size=4)}
    return Plan(**usual | {"control_seeds": 1} | settings)
