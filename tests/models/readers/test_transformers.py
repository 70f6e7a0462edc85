"""Folders of transformers, each made here."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification

from hub_models import LABELS, SIDE, Hostile, Normalised
from oracles import assert_same_function
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.options import ModelOptions


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def transformers_folder(folder: Path, *, channels: int = 3, **fields: object) -> nn.Module:
    """Write a small ResNet with transformers' own function, and what its images are."""
    torch.manual_seed(1)
    config = ResNetConfig(
        num_channels=channels,
        embedding_size=4,
        hidden_sizes=[4, 8],
        depths=[1, 1],
        layer_type="basic",
        id2label=dict(enumerate(LABELS)),
        **fields,
    )
    network = ResNetForImageClassification(config).eval()
    network.save_pretrained(folder)
    processor = {
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.4, 0.5, 0.6][:channels],
        "image_std": [0.2, 0.3, 0.25][:channels],
        "size": {"height": SIDE, "width": SIDE},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return network


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_of_transformers(here: Path, channels: int) -> None:
    network = transformers_folder(here / "m", channels=channels)
    mean, std = [0.4, 0.5, 0.6][:channels], [0.2, 0.3, 0.25][:channels]
    found = load_model("m", ModelOptions(head="logits"))
    assert (found.class_names, found.shape) == (tuple(LABELS), (channels, SIDE, SIDE))
    assert_same_function(found, Normalised(network, mean, std), SIDE)
    assert len(found.sha256) == 64


@pytest.mark.parametrize(
    ("changes", "inputs"),
    [
        (
            {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3},
            (2.0, -1.0),
        ),
        ({"do_rescale": False, "image_mean": [100.0] * 3, "image_std": [50.0] * 3}, (5.1, -2.0)),
        ({"do_normalize": False}, (1.0, 0.0)),
    ],
)
def test_what_transformers_does_to_images(
    here: Path, changes: dict[str, Any], inputs: tuple[float, float]
) -> None:
    """Images in [0, 1] become factor * image + offset: 255 times the processor's rescale, less its mean."""
    network = transformers_folder(here / "m")
    path = here / "m" / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    factor, offset = inputs
    found = load_model("m", ModelOptions(head="logits"))
    reference = Normalised(network, [-offset / factor], [1 / factor])
    assert_same_function(found, reference, SIDE)


def test_several_findings_of_transformers(here: Path) -> None:
    network = transformers_folder(here / "m", problem_type="multi_label_classification")
    with pytest.raises(InputError, match="choose one with --finding"):
        load_model("m")
    found = load_model("m", ModelOptions(finding="light"))
    assert found.class_names == ("no light", "light")
    images = torch.rand(2, 3, SIDE, SIDE)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
    expected = Normalised(network, mean, std)(images)[:, 1].sigmoid()
    torch.testing.assert_close(found(images).softmax(1)[:, 1], expected)


def test_folders_of_transformers_that_are_refused(here: Path) -> None:
    network = transformers_folder(here / "m")
    config = json.loads((here / "m" / "config.json").read_text())

    def refused(message: str, **changes: object) -> None:
        (here / "m" / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(InputError, match=message):
            load_model("m")

    Path("m/own.py").write_text("import pathlib; pathlib.Path('executed').touch()")
    refused(
        "cannot be built with auto_map", auto_map={"AutoModelForImageClassification": "own.Own"}
    )
    refused("with backbone_config", backbone_config={"auto_map": {"AutoBackbone": "own.Own"}})
    refused("with quantization_config", quantization_config={"quant_method": "bitsandbytes"})
    refused("not a supported image classifier .model_type 'bert'", model_type="bert")
    refused("does not fit", hidden_sizes=[4, 16])
    refused("does not fit", depths=[1, 2])
    Path("m/preprocessor_config.json").write_text("[]")
    refused(r"has a preprocessor_config\.json that cannot be read")
    Path("m/preprocessor_config.json").unlink()
    refused("needs --size PIXELS, --mean and --std")
    Path("m/model.safetensors").unlink()
    Path("m/pytorch_model.bin").write_bytes(pickle.dumps(Hostile()))
    refused(r"has no model\.safetensors: pickled weights")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, "m/x.safetensors")
    refused(r"has no model\.safetensors")
    assert not Path("executed").exists()


def test_a_missing_extra_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers_folder(here / "m")
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(InputError, match=r"needs transformers: 'pip install straylight\[hf\]'"):
        load_model("m")
