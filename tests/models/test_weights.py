"""Weights files: prefixes, precision, shards, and files that do not fit."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model_cards import card
from paths import ROOT
from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.models.card import load_classifier, save_classifier
from straylight.models.load import load_model
from straylight.models.options import ModelOptions
from straylight.models.weights import load_weights
from torchscript_models import small_timm, write_timm_folder


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "executed",)

    save_classifier(tmp_path / "m", card().build(), card())
    for payload in (pickle.dumps(Hostile()), b"", b"PK\x03\x04", b"\xff" * 64):
        (tmp_path / "m" / "model.safetensors").write_bytes(payload)
        with pytest.raises(InputError, match=r"is not a safetensors file .* never loaded"):
            load_classifier(tmp_path / "m")
    torch.save({"x": torch.zeros(1)}, tmp_path / "m" / "model.safetensors")
    with pytest.raises(InputError, match="is not a safetensors file"):
        load_classifier(tmp_path / "m")
    assert not (tmp_path / "executed").exists()


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    network = card().build()
    weights = load_file_of(network, tmp_path)
    name = "fc.weight"
    for changed in (
        {**weights, "extra": torch.zeros(1)},
        {k: v for k, v in weights.items() if k != name},
    ):
        save_file(changed, tmp_path / "w.safetensors")
        with pytest.raises(InputError, match="does not fit the architecture: 1 tensors"):
            load_weights(card().build(), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"does not exist: give a \.safetensors file"):
        load_weights(network, tmp_path / "none.safetensors")


def load_file_of(network: torch.nn.Module, folder: Path) -> dict[str, torch.Tensor]:
    save_classifier(folder, network, card())
    return load_file(folder / "model.safetensors")


def test_a_backbone_keeps_the_new_head(tmp_path: Path) -> None:
    source = card(class_names=("a", "b", "c")).build()
    save_classifier(tmp_path, source, card())
    network = card().build()
    head = network.get_classifier().weight.clone()  # type: ignore[operator]
    load_weights(network, tmp_path / "model.safetensors", new_head=True)
    assert torch.equal(network.get_classifier().weight, head)  # type: ignore[operator]
    assert torch.equal(network.conv1[0].weight, source.conv1[0].weight)  # type: ignore[index]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


NAMED = ModelOptions(weights="w.safetensors", classes=("a", "b"), head="logits")


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module._orig_mod."])
def test_case_21_prefixes_are_taken_off_and_said(here: Path, prefix: str) -> None:
    state = small_timm().state_dict()
    save_file(state, "w.safetensors")
    expected = load_model("timm:test_resnet", NAMED)
    save_file({prefix + name: tensor for name, tensor in state.items()}, "w.safetensors")
    found = load_model("timm:test_resnet", NAMED)
    assert found.sha256 == expected.sha256
    assert found.card["notes"] == [
        f"the prefix '{prefix}' was removed from the names of all weights"
    ]
    assert "notes" not in expected.card


def test_case_21_a_prefix_of_some_names_is_not(here: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in small_timm().state_dict().items()}
    save_file(state | {"other": torch.zeros(1)}, "w.safetensors")
    with pytest.raises(InputError, match="does not fit the architecture"):
        load_model("timm:test_resnet", NAMED)


def test_weights_in_half_precision_are_converted_and_said(here: Path) -> None:
    state = {
        n: t.half().float() if t.is_floating_point() else t
        for n, t in small_timm().state_dict().items()
    }
    save_file(state, "w.safetensors")
    expected = load_model("timm:test_resnet", NAMED)
    half = {n: t.half() if t.is_floating_point() else t for n, t in state.items()}
    save_file(half, "w.safetensors")
    found = load_model("timm:test_resnet", NAMED)
    assert found.sha256 == expected.sha256
    assert found.card["notes"] == ["weights of type float16 are used as float32"]
    first = next(name for name in half if name.endswith("weight"))
    save_file(half | {first: half[first].to(torch.int8)}, "w.safetensors")
    with pytest.raises(InputError, match=f"holds {first} as int8, not as float32"):
        load_model("timm:test_resnet", NAMED)


def write_shards(folder: Path) -> dict[str, str]:
    """Put the weights of a folder into two files and an index; return the shard of each tensor."""
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    files = [f"model-{n:05}-of-00002.safetensors" for n in (1, 2)]
    places = {name: files[place % 2] for place, name in enumerate(names)}
    for file in files:
        save_file({n: state[n] for n in names if places[n] == file}, folder / file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return places


def test_shards_are_the_same_weights(here: Path) -> None:
    write_timm_folder(here / "m")
    expected = load_model("m", ModelOptions(head="logits"))
    places = write_shards(here / "m")
    assert load_model("m", ModelOptions(head="logits")).sha256 == expected.sha256

    def refused(message: str, changed: dict[str, str]) -> None:
        (here / "m" / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": changed})
        )
        with pytest.raises(InputError, match=message):
            load_model("m", ModelOptions(head="logits"))

    first, other = sorted(places)[0], sorted(set(places.values()))
    refused("is not a shard index", dict.fromkeys(places, "../w.safetensors"))
    refused("is not a shard index", dict.fromkeys(places, "/etc/passwd"))
    refused("is not a shard index", {})
    refused("does not exist", places | {first: "model-9.safetensors"})
    refused("does not list all", places | {first: other[1]})
    refused("which its shards do not contain", places | {"more": other[0]})
    (here / "m" / other[0]).rename(here / "away.safetensors")
    (here / "m" / other[0]).symlink_to(here / "away.safetensors")
    refused("links outside the folder", places)


def test_user_14_the_way_out_of_a_pickle_works(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The three lines of docs/models.md, run on what is refused."""
    network = small_timm()
    torch.save(network.state_dict(), "net.pth")
    with pytest.raises(SystemExit):
        main(["preflight", "--model", "net.pth", "--cohort", "x"])
    said = capsys.readouterr().err
    assert "docs/models.md has the three lines" in said
    assert "torchvision:NAME or timm:NAME --weights FILE.safetensors" in said
    text = (ROOT / "docs" / "models.md").read_text()
    lines = text.split("from safetensors.torch import save_file")[1].split("```")[0]
    exec("import torch\nfrom safetensors.torch import save_file" + lines, {})
    options = ModelOptions(weights="net.safetensors", classes=("a", "b"), head="logits")
    found = load_model("timm:test_resnet", options)
    assert len(found.sha256) == 64
