"""timm models in the hub's layout, each made here."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import save_for_hf
from torch import nn

from hub_models import LABELS, SIDE, Hostile, Normalised
from oracles import assert_same_function
from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.options import ModelOptions
from torchscript_models import SMALL_OPTIONS, small_timm, write_timm_folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_case_2_a_wrapped_timm_model_reads_no_other_file(here: Path) -> None:
    folder = here / "m"
    folder.mkdir()
    save_file(
        {f"timm_model.{n}": t for n, t in small_timm().state_dict().items()},
        folder / "model.safetensors",
    )
    torch.save({}, "other.pth")
    config = {
        "model_type": "timm_wrapper",
        "architecture": "test_resnet",
        "num_classes": 2,
        "label_names": ["a", "b"],
    }
    options = ModelOptions(size=32, mean=(0.0,) * 3, std=(1.0,) * 3, head="logits")
    (folder / "config.json").write_text(json.dumps(config))
    assert load_model("m", options).class_names == ("a", "b")
    for arguments in (
        {"checkpoint_path": "other.pth"},
        {"cache_dir": "x"},
        {"pretrained_cfg_overlay": {}},
    ):
        (folder / "config.json").write_text(json.dumps(config | {"model_args": arguments}))
        with pytest.raises(InputError, match=f"cannot be built with {next(iter(arguments))}"):
            load_model("m", options)


def test_case_15_and_17_configurations_of_timm_are_refused_in_a_sentence(here: Path) -> None:
    good = write_timm_folder(here / "m")
    inner = good["pretrained_cfg"]
    wrong: list[Any] = [
        good | {"pretrained_cfg": []},
        good | {"model_args": {"layers": [1_000_000] * 4}},
        good | {"model_args": {"layers": [50] * 4}},
        good | {"model_args": {"act_layer": "nothing"}},
        *(good | {"pretrained_cfg": inner | {"mean": value}} for value in (7, ["a"], {"a": 1})),
        *(good | {"label_names": value} for value in (7, [1], {"a": 1})),
        *(
            good | {"pretrained_cfg": inner | {"input_size": value}}
            for value in ([3], [3, 0, 0], "3")
        ),
    ]
    for config in [*map(json.dumps, wrong), '{"a":' * 100_000 + "1" + "}" * 100_000]:
        (here / "m" / "config.json").write_text(config)
        with pytest.raises(InputError) as refused:
            load_model("m", ModelOptions(head="logits"))
        assert str(refused.value).startswith("m")
        assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "name", ["../x", "a/../b", "a", "a/b/c", "a/b@../main", "/a/b", "a/b@", "a b/c", "a/b\x1b"]
)
def test_names_on_the_hub_are_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(InputError, match="is not hf_hub:ORG/NAME"):
        load_model(f"hf_hub:{name}")


def test_a_configuration_that_is_a_folder_is_said(here: Path) -> None:
    (here / "m" / "config.json").mkdir(parents=True)
    with pytest.raises(InputError, match=r"has a config\.json that cannot be read .it is a folder"):
        load_model("m", SMALL_OPTIONS)


def timm_folder(folder: Path, **fields: object) -> nn.Module:
    """Write a network with timm's own function for the hub."""
    torch.manual_seed(1)
    network = timm.create_model("test_resnet", num_classes=3).eval()
    save_for_hf(
        network, folder, model_config={"label_names": LABELS, **fields}, safe_serialization=True
    )
    return network


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
        assert found.shape == tuple(cfg["input_size"])
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
    with pytest.raises(
        InputError, match=r"cannot be downloaded from the Hugging Face hub .*no route"
    ):
        load_model("hf_hub:a/b")
    folder = here / "r"
    timm_folder(folder)
    config = json.loads((folder / "config.json").read_text())
    cases: list[tuple[dict[str, Any], str]] = [
        ({"model_args": {"checkpoint_path": "x.pth"}}, "cannot be built with checkpoint_path"),
        ({"architecture": "hf_hub:c/d"}, "timm has no model 'hf_hub:c/d'"),
        ({"num_classes": None}, "has no num_classes"),
        ({"num_classes": 7}, "does not fit the architecture"),
    ]
    for changes, message in cases:
        (folder / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(InputError, match=message):
            load_model(str(folder))
    (folder / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"has a config\.json that cannot be read"):
        load_model(str(folder))
