"""Keras models and files made for tests."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SIDE = 32


class Reference(nn.Module):
    """Keras' own outputs for images as torch has them, as logits."""

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))

    def forward(self, images: Tensor) -> Tensor:
        normalised = (images - self.mean) / self.std
        outputs: Tensor = self.model(normalised.movedim(1, -1), training=False)
        return outputs.log()
