"""Small networks written as .pt2 and TorchScript files."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from straylight.models.options import ModelOptions

SIDE = 24
OPTIONS = ModelOptions(
    classes=("a", "b"), size=SIDE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), head="logits"
)
MARKER = "executed"


def small(channels: int = 3) -> nn.Module:
    """A network with what classifiers have: convolution, batch norm, pooling, a head."""
    torch.manual_seed(1)
    network = nn.Sequential(
        Conv2dNormActivation(channels, 4),
        nn.BatchNorm2d(4),
        nn.GELU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 2),
    )
    network[1].running_mean.uniform_(-1, 1)
    return network.eval()


class Normalised(nn.Module):
    """A network behind the normalisation that `options` say."""

    def __init__(self, network: nn.Module, options: ModelOptions) -> None:
        super().__init__()
        self.network, self.options = network, options

    def forward(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (self.options.mean, self.options.std))
        found: Tensor = self.network((images - mean) / std)
        return found


def export(network: nn.Module, path: Path, *, channels: int = 3, batch: int | None = None) -> Path:
    """Write a .pt2 file, for one batch size or all."""
    shapes = None if batch else ({0: torch.export.Dim("batch")},)
    images = torch.rand(batch or 2, channels, SIDE, SIDE)
    torch.export.save(torch.export.export(network, (images,), dynamic_shapes=shapes), path)
    return path


def script(network: nn.Module, path: Path, *, trace: bool = False) -> Path:
    """Write a TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.trace(network, torch.rand(2, 3, SIDE, SIDE)) if trace else None
        (made or torch.jit.script(network)).save(str(path))
    return path


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(MARKER),)  # type: ignore[return-value]


class Saves(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        torch.save(images, "executed")
        return images.mean((2, 3))
