"""A model card and a network of channel means, for tests."""

import torch

from straylight.models.card import ModelCard

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Echo(torch.nn.Module):
    """Returns its input's channel means as logits."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def card(**changes: object) -> ModelCard:
    fields: dict[str, object] = {
        "architecture": "test_resnet",
        "arguments": {},
        "shape": (3, 32, 32),
        "class_names": ("a", "b"),
        "mean": MEAN,
        "std": STD,
        "training": {},
    }
    return ModelCard(**(fields | changes))  # type: ignore[arg-type]
