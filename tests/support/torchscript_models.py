"""TorchScript programs of a linear classifier, for tests."""

import json
import warnings
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from straylight.models.options import ModelOptions

SMALL_OPTIONS = ModelOptions(
    classes=("a", "b"), size=16, mean=(0.0,) * 3, std=(1.0,) * 3, head="logits"
)


class Answers(nn.Module):
    """A linear classifier of mean colours."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)
        self.calls = 0
        self.register_buffer("count", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.layer(images.mean((2, 3)))
        return found


def scripted(network: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network.eval()).save(str(path))
    return path


def small_timm() -> nn.Module:
    torch.manual_seed(1)
    return timm.create_model("test_resnet", num_classes=2).eval()


def write_timm_folder(folder: Path) -> dict[str, Any]:
    network = small_timm()
    save_for_hf(network, folder, model_config={"label_names": ["a", "b"]}, safe_serialization=True)
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found
