"""Networks of timm and torchvision by name."""

from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from loading import NOISE
from straylight.models.load import load_model
from straylight.models.options import ModelOptions


def test_timm_by_name(tmp_path: Path) -> None:
    network = timm.create_model("test_resnet", num_classes=2).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    said = ModelOptions(
        weights=str(tmp_path / "w.safetensors"), classes=("a", "b"), head="logits"
    )  # untrained, it gives small numbers
    found = load_model("timm:test_resnet", said)
    assert found.shape == (3, *network.default_cfg["input_size"][1:])
    assert found.class_names == ("a", "b")
    mean, std = (torch.tensor(network.default_cfg[k]).view(3, 1, 1) for k in ("mean", "std"))
    torch.testing.assert_close(found(NOISE), network((NOISE - mean) / std))
    assert found.card["architecture"] == "test_resnet"


def test_torchvision_by_name(tmp_path: Path) -> None:
    network = get_model("squeezenet1_1", num_classes=2).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    said = ModelOptions(
        weights=str(tmp_path / "w.safetensors"),
        classes=("a", "b"),
        size=64,
        grey=True,
        head="logits",
    )
    found = load_model("torchvision:squeezenet1_1", said)
    assert found.shape == (1, 64, 64)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    grey = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(found(grey), network((grey.repeat(1, 3, 1, 1) - mean) / std))
