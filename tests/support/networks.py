"""A small network with a given forward pass, and a cohort for it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from straylight.cohort.cohort import Cohort
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

SHAPE = (3, 16, 16)
NAMES = tuple("ABCDEFG")
Forward = Callable[["Net", Tensor], Any]


class Net(nn.Module):
    """A small network whose forward pass is given."""

    def __init__(self, forward: Forward, n: int = 7) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc, self.told = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(128, n), forward

    def features(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(F.relu(self.conv(images)), 4)

    def logits(self, images: Tensor) -> Tensor:
        out: Tensor = self.fc(self.features(images).flatten(1))
        return out

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401
        return self.told(self, images)


def logits(net: Net, images: Tensor) -> Tensor:
    return net.logits(images)


def classifier(network: nn.Module, **changes: Any) -> Classifier:  # noqa: ANN401
    return Classifier(network, **({"shape": SHAPE, "class_names": NAMES} | changes))


def others(n: int) -> ImageSet:
    """Photographs: none of them is in a cohort."""
    pixels = np.random.default_rng(1).integers(0, 256, (n, *SHAPE), dtype=np.uint8)
    return ImageSet(torch.from_numpy(pixels), "photographs")


def cohort(n: int = 65, names: tuple[str, ...] = NAMES) -> Cohort:
    labels = torch.arange(n) % len(names)
    pixels = np.random.default_rng(0).integers(0, 120, (n, *SHAPE), dtype=np.uint8)
    pixels += (labels.numpy() * 120 // len(names)).astype(np.uint8)[:, None, None, None]
    return Cohort(ImageSet(torch.from_numpy(pixels), "cohort"), labels, names)


IMAGES = cohort(3).images.images(slice(None))


def expected(images: Tensor = IMAGES, forward: Forward = logits) -> Tensor:
    """Return what torch alone gives."""
    with torch.no_grad():
        out: Tensor = Net(forward)((images - 0.5) / 0.5)
    return out
