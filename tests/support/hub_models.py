"""Folders of timm and transformers made for tests."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

SIDE = 32
LABELS = ["dark", "light", "none"]


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("executed"),)  # type: ignore[return-value]


class Normalised(nn.Module):
    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.network((images - self.mean) / self.std)
        return outputs.logits if hasattr(outputs, "logits") else outputs
