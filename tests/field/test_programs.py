"""What users and strangers brought: programs, folders and weights. Numbers are of the field report."""

import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import save_for_hf
from torch import Tensor, nn

from paths import ROOT
from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.models.load import ModelOptions, load_model
from straylight.models.readers.torch_operators import allowed

OPTIONS = ModelOptions(classes=("a", "b"), size=16, mean=(0.0,) * 3, std=(1.0,) * 3, head="logits")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


class Counts(Answers):
    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        found: Tensor = self.layer(images.mean((2, 3)))
        return -found if self.calls > 12 else found


class CountsInBuffer(Answers):
    def forward(self, images: Tensor) -> Tensor:
        self.count.view(1).add_(1)
        found: Tensor = self.layer(images.mean((2, 3)))
        return -found if int(self.count) > 12 else found


class Loops(Answers):
    def forward(self, images: Tensor) -> Tensor:
        i = 0
        while i >= 0:
            i = (i + 1) % 7
        return images.mean((2, 3))[:, :2]


class LoopsInHiding(Answers):
    """Each loop is short, and all together are endless."""

    def forward(self, images: Tensor) -> Tensor:
        parts = [0.5] * (images.shape[2] * 500_000)
        for part in parts:
            images = images * part
        return images.mean((2, 3))[:, :2]


class Prints(Answers):
    def forward(self, images: Tensor) -> Tensor:
        print("\033]0;owned\007")
        found: Tensor = self.layer(images.mean((2, 3)))
        return found


def scripted(network: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network.eval()).save(str(path))
    return path


def test_case_14_an_endless_program_is_refused(here: Path) -> None:
    with pytest.raises(InputError, match="has a loop whose length nothing limits"):
        load_model(scripted(Loops(), here / "m.pt"), OPTIONS)
    with pytest.raises(InputError, match="does not return within 3 s"):
        load_model(scripted(LoopsInHiding(), here / "m.pt"), OPTIONS)


def test_case_20_a_program_that_prints_is_refused(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="uses print, which no classifier needs"):
        load_model(scripted(Prints(), here / "m.pt"), OPTIONS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("network", "what"), [(Counts, "calls"), (CountsInBuffer, "add_")])
def test_case_24_a_program_that_counts_its_calls_is_refused(
    here: Path, network: Callable[[], nn.Module], what: str
) -> None:
    with pytest.raises(InputError, match=f"changes itself while it answers .*{what}"):
        load_model(scripted(network(), here / "m.pt"), OPTIONS)


def test_case_12_a_member_that_is_not_needed_is_not_unpacked(here: Path) -> None:
    path = scripted(Answers(), here / "m.pt")
    expected = load_model(path, OPTIONS).sha256
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/extra/bomb", bytes(2**27))
    assert load_model(path, OPTIONS).sha256 == expected
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data/99", bytes(2**27))
    with pytest.raises(InputError, match=r"decompression bomb: m/data/99 would unpack to 128 MiB"):
        load_model(path, OPTIONS)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_case_23_programs_in_another_precision_are_refused_by_name(
    here: Path, kind: torch.dtype
) -> None:
    name = str(kind).removeprefix("torch.")
    network = Answers().eval().to(kind)
    with pytest.raises(InputError, match=f"has weights of type {name} .*: give it in float32"):
        load_model(scripted(network, here / "m.pt"), OPTIONS)
    shapes = ({0: torch.export.Dim("batch")},)
    images = torch.rand(2, 3, 16, 16, dtype=kind)
    program = torch.export.export(Answers().eval().to(kind), (images,), dynamic_shapes=shapes)
    torch.export.save(program, here / "m.pt2")
    with pytest.raises(InputError, match=f"has weights of type {name} .*: give it in float32"):
        load_model("m.pt2", OPTIONS)


def small() -> nn.Module:
    torch.manual_seed(1)
    return timm.create_model("test_resnet", num_classes=2).eval()


NAMED = ModelOptions(weights="w.safetensors", classes=("a", "b"), head="logits")


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module._orig_mod."])
def test_case_21_prefixes_are_taken_off_and_said(here: Path, prefix: str) -> None:
    state = small().state_dict()
    save_file(state, "w.safetensors")
    expected = load_model("timm:test_resnet", NAMED)
    save_file({prefix + name: tensor for name, tensor in state.items()}, "w.safetensors")
    found = load_model("timm:test_resnet", NAMED)
    assert found.sha256 == expected.sha256
    assert found.card["notes"] == [f"'{prefix}' was taken off the names of all weights"]
    assert "notes" not in expected.card


def test_case_21_a_prefix_of_some_names_is_not(here: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in small().state_dict().items()}
    save_file(state | {"other": torch.zeros(1)}, "w.safetensors")
    with pytest.raises(InputError, match="does not fit the architecture"):
        load_model("timm:test_resnet", NAMED)


def test_weights_in_half_precision_are_converted_and_said(here: Path) -> None:
    state = {
        n: t.half().float() if t.is_floating_point() else t for n, t in small().state_dict().items()
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


def timm_folder(folder: Path) -> dict[str, Any]:
    network = small()
    save_for_hf(network, folder, model_config={"label_names": ["a", "b"]}, safe_serialization=True)
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


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
    timm_folder(here / "m")
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
    refused("is not an index of shards", dict.fromkeys(places, "../w.safetensors"))
    refused("is not an index of shards", dict.fromkeys(places, "/etc/passwd"))
    refused("is not an index of shards", {})
    refused("does not exist", places | {first: "model-9.safetensors"})
    refused("does not list all", places | {first: other[1]})
    refused("which its shards do not hold", places | {"more": other[0]})
    (here / "m" / other[0]).rename(here / "away.safetensors")
    (here / "m" / other[0]).symlink_to(here / "away.safetensors")
    refused("leads out of the folder", places)


def test_case_2_a_wrapped_timm_model_reads_no_other_file(here: Path) -> None:
    folder = here / "m"
    folder.mkdir()
    save_file(
        {f"timm_model.{n}": t for n, t in small().state_dict().items()},
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
    good = timm_folder(here / "m")
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


def test_user_14_the_way_out_of_a_pickle_works(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The three lines of docs/models.md, run on what is refused."""
    network = small()
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


def test_operators_are_a_list() -> None:
    for name in (
        "aten::save",
        "aten::from_file",
        "aten::rand",
        "aten::normal_",
        "aten::empty",
        "prim::Print",
    ):
        assert not allowed(name)
    assert allowed("aten::conv2d")
    assert allowed("aten::relu_")


def test_an_archive_that_claims_many_records_is_refused(here: Path) -> None:
    path = here / "m.pt"
    path.write_bytes(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 2**31, 0, 0))
    with pytest.raises(InputError, match="claims 65535 records"):
        load_model(path, OPTIONS)


class KeepsInList(Answers):
    """A list that holds the weights: what comes out of it is them."""

    def forward(self, images: Tensor) -> Tensor:
        held = [images.mean()]
        held.append(self.count)
        held[1].add_(1)
        found: Tensor = self.layer(images.mean((2, 3)))
        return -found if int(self.count) > 12 else found


class AddsToList(Answers):
    def forward(self, images: Tensor) -> Tensor:
        held = [images.mean()]
        again = held
        held += [self.count]
        again[1].add_(1)
        found: Tensor = self.layer(images.mean((2, 3)))
        return -found if int(self.count) > 12 else found


class Honest(Answers):
    """What timm and torchvision write: a list of weights, a list of numbers, noise in training."""

    def __init__(self) -> None:
        super().__init__()
        self.shifts = [1, 2]

    @property
    def factor(self) -> float:
        return 2.0

    def forward(self, images: Tensor) -> Tensor:
        shifts = self.shifts.copy()
        shifts[0] = 0
        held = [images.mean((2, 3))]
        held.append(self.layer.weight[:, :1].expand(2, 3)[: images.shape[0]])
        if self.training:
            images = images * torch.empty([1], dtype=images.dtype).bernoulli_(0.5)
        found: Tensor = self.layer(held[0] * self.factor + shifts[0])
        return found


@pytest.mark.parametrize("network", [KeepsInList, AddsToList])
def test_weights_in_a_list_are_kept_too(here: Path, network: Callable[[], nn.Module]) -> None:
    with pytest.raises(InputError, match="changes itself while it answers"):
        load_model(scripted(network(), here / "m.pt"), OPTIONS)


def test_lists_properties_and_noise_in_training_are_read(here: Path) -> None:
    network = Honest().eval()
    found = load_model(scripted(network, here / "m.pt"), OPTIONS)
    images = torch.rand(2, 3, 16, 16).mul(255).round().div(255)
    with torch.no_grad():
        torch.testing.assert_close(found(images), network(images))


def test_a_file_that_was_cut_off_is_broken(here: Path) -> None:
    network = Answers().eval()
    torch.export.save(torch.export.export(network, (torch.rand(2, 3, 16, 16),)), here / "m.pt2")
    data = (here / "m.pt2").read_bytes()
    for part in range(1, 20):
        (here / "m.pt2").write_bytes(data[: len(data) * part // 20])
        with pytest.raises(InputError, match="is a broken archive"):
            load_model(here / "m.pt2", OPTIONS)


def test_a_configuration_that_is_a_folder_is_said(here: Path) -> None:
    (here / "m" / "config.json").mkdir(parents=True)
    with pytest.raises(InputError, match=r"has a config\.json that cannot be read .it is a folder"):
        load_model("m", OPTIONS)
