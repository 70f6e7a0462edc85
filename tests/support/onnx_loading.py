"""Logits of an ONNX file through `load_model`."""

from pathlib import Path

import onnx
import torch

from onnxes import SIDE, save
from straylight.models.load import load_model
from straylight.models.options import ModelOptions

LOADED_OPTIONS = ModelOptions(
    classes=("a", "b"), size=SIDE, mean=(0.5,) * 3, std=(0.5,) * 3, head="logits"
)
LOADED_IMAGES = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def logits(made: onnx.ModelProto, path: Path) -> torch.Tensor:
    return load_model(save(made, path), LOADED_OPTIONS)(LOADED_IMAGES)
