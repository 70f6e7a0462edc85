"""Models of the Hugging Face hub: timm's layout and folders of transformers, each made here."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import save_for_hf
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetForImageClassification

from oracles import assert_same_function
from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.models.load import ModelOptions, load_model

SIDE = 32
LABELS = ["dark", "light", "none"]


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("executed"),)  # type: ignore[return-value]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def timm_folder(folder: Path, **fields: object) -> nn.Module:
    """Write a network with timm's own function for the hub."""
    torch.manual_seed(1)
    network = timm.create_model("test_resnet", num_classes=3).eval()
    save_for_hf(
        network, folder, model_config={"label_names": LABELS, **fields}, safe_serialization=True
    )
    return network


class Normalised(nn.Module):
    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.network((images - self.mean) / self.std)
        return outputs.logits if hasattr(outputs, "logits") else outputs


def test_a_timm_model_of_the_hub(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timm_folder(here / "repository")
    asked = []

    def download(name: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((name, revision, sorted(allow_patterns)))
        return str(here / "repository")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    theirs = timm.create_model(f"local-dir:{here / 'repository'}", pretrained=True).eval()
    cfg = theirs.pretrained_cfg
    options = ModelOptions(head="logits")
    for spec in ("hf_hub:some/net@v2", str(here / "repository")):
        found = load_model(spec, options)
        assert found.class_names == tuple(LABELS)
        assert found.shape == cfg["input_size"]
        assert_same_function(found, Normalised(theirs, cfg["mean"], cfg["std"]), SIDE)
        assert len(found.sha256) == 64
        assert found.card["architecture"] == "test_resnet"
    index = "model.safetensors.index.json"
    shards = "model-?????-of-?????.safetensors"
    files = ["config.json", shards, "model.safetensors", index]
    assert asked == [("some/net", "v2", files)]
    other = ModelOptions(head="logits", classes=("x", "y", "z"), size=64)
    assert load_model(str(here / "repository"), other).class_names == ("x", "y", "z")


def test_a_hub_repository_with_pickles_alone_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    timm_folder(here / "repository")
    (here / "repository" / "model.safetensors").unlink()
    (here / "repository" / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile()))
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda *_, **__: str(here / "repository")
    )
    with pytest.raises(SystemExit) as left:
        main(
            [
                "audit",
                "--model",
                "hf_hub:a/b",
                "--natural",
                "x",
                "--cohort",
                "x",
                "--out",
                "o",
                "--zeta",
                "0.02",
            ]
        )
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "hf_hub:a/b has no model.safetensors: pickled weights" in said
    assert "Traceback" not in said
    assert not Path("executed").exists()


def test_what_is_wrong_with_a_hub_repository_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.snapshot_download", away)
    with pytest.raises(InputError, match=r"cannot be had from the Hugging Face hub .*no route"):
        load_model("hf_hub:a/b")
    folder = here / "r"
    timm_folder(folder)
    config = json.loads((folder / "config.json").read_text())
    cases: list[tuple[dict[str, Any], str]] = [
        ({"model_args": {"checkpoint_path": "x.pth"}}, "cannot be built with checkpoint_path"),
        ({"architecture": "hf_hub:c/d"}, "timm has no model 'hf_hub:c/d'"),
        ({"num_classes": None}, "says no num_classes"),
        ({"num_classes": 7}, "does not fit the architecture"),
    ]
    for changes, message in cases:
        (folder / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(InputError, match=message):
            load_model(str(folder))
    (folder / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"has a config\.json that cannot be read"):
        load_model(str(folder))


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
    refused("no image classifier that is read .model_type 'bert'", model_type="bert")
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
