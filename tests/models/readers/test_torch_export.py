"""Programs of torch: .pt2 and TorchScript. The same function, and only tensor operators are run."""

import io
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, nms

from oracles import assert_same_function
from straylight.core.errors import InputError
from straylight.models.load import ModelOptions, load_model
from straylight.models.readers.torch_archive import read_records, write_records

SIDE = 24
OPTIONS = ModelOptions(
    classes=("a", "b"), size=SIDE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), head="logits"
)
GREY = ModelOptions(classes=("a", "b"), size=SIDE, mean=(0.5,), std=(0.25,), head="logits")
MARKER = "executed"


def small(channels: int = 3) -> nn.Module:
    """A network with what classifiers have: convolution, batch norm, pooling, a head."""
    torch.manual_seed(1)
    network = nn.Sequential(
        Conv2dNormActivation(channels, 4),
        nn.BatchNorm2d(4),
        nn.GELU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 2),
    )
    network[1].running_mean.uniform_(-1, 1)
    return network.eval()


class Normalised(nn.Module):
    """A network behind the normalisation that `options` say."""

    def __init__(self, network: nn.Module, options: ModelOptions) -> None:
        super().__init__()
        self.network, self.options = network, options

    def forward(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (self.options.mean, self.options.std))
        found: Tensor = self.network((images - mean) / std)
        return found


def export(network: nn.Module, path: Path, *, channels: int = 3, batch: int | None = None) -> Path:
    """Write a .pt2 file, for one batch size or all."""
    shapes = None if batch else ({0: torch.export.Dim("batch")},)
    images = torch.rand(batch or 2, channels, SIDE, SIDE)
    torch.export.save(torch.export.export(network, (images,), dynamic_shapes=shapes), path)
    return path


def script(network: nn.Module, path: Path, *, trace: bool = False) -> Path:
    """Write a TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.trace(network, torch.rand(2, 3, SIDE, SIDE)) if trace else None
        (made or torch.jit.script(network)).save(str(path))
    return path


def test_an_exported_program_is_the_same_function(tmp_path: Path) -> None:
    for channels, options in ((3, OPTIONS), (1, GREY)):
        network = small(channels)
        path = export(network, tmp_path / "m.pt2", channels=channels)
        found = load_model(path, options)
        assert found.shape == (channels, SIDE, SIDE)
        assert_same_function(found, Normalised(network, options), SIDE)
    said = ModelOptions(classes=("a", "b"), mean=(0.5,), std=(0.25,), head="logits")
    assert load_model(path, said).shape == (1, SIDE, SIDE)  # the file says its size
    with pytest.raises(InputError, match=r"needs --classes NAME NAME \.\.\., --mean and --std"):
        load_model(path)


@pytest.mark.parametrize("trace", [False, True])
def test_torchscript_is_the_same_function(tmp_path: Path, trace: bool) -> None:
    network = small()
    found = load_model(script(network, tmp_path / "m.pt", trace=trace), OPTIONS)
    assert_same_function(found, Normalised(network, OPTIONS), SIDE)
    grey = ModelOptions(**(vars(OPTIONS) | {"grey": True}))
    found = load_model(tmp_path / "m.pt", grey)
    repeated = nn.Sequential(Repeat(), Normalised(network, OPTIONS))
    assert_same_function(found, repeated, SIDE)


class Repeat(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.repeat(1, 3, 1, 1)


class Scaled(nn.Module):
    """Two of these have the same (no) weights, and are two functions."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images: Tensor) -> Tensor:
        level = images.mean((1, 2, 3)) * self.factor
        return torch.stack([-level, level], 1)


@pytest.mark.parametrize(("write", "suffix"), [(export, "pt2"), (script, "pt")])
def test_the_digest_is_of_the_program_too(
    tmp_path: Path, write: Callable[[nn.Module, Path], Path], suffix: str
) -> None:
    paths = [write(Scaled(factor), tmp_path / f"{factor}.{suffix}") for factor in (2.0, 3.0)]
    digests = [load_model(path, OPTIONS).sha256 for path in (*paths, paths[0])]
    assert digests[0] == digests[2] != digests[1]


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(MARKER),)  # type: ignore[return-value]


def payload() -> bytes:
    """A pickle in torch's archive, which `torch.load(weights_only=False)` runs."""
    stream = io.BytesIO()
    torch.save(Hostile(), stream)
    return stream.getvalue()


def edit(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Change the records of an archive of torch."""
    records = read_records(path)
    change(records)
    path.write_bytes(write_records(records).getvalue())
    return path


def test_sample_inputs_are_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = small()
    path = edit(
        export(network, tmp_path / "m.pt2"),
        lambda r: r.update({"data/sample_inputs/model.pt": payload()}),
    )
    found = load_model(path, OPTIONS)
    assert_same_function(found, Normalised(network, OPTIONS), SIDE)
    assert not Path(MARKER).exists()
    with pytest.raises(Exception, match="expected tuple or dict"):
        torch.export.load(path)  # the payload is a real one
    assert Path(MARKER).exists()


CODE = f"__import__('pathlib').Path('{MARKER}').touch()"


def in_program(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, bytes]], None]:
    def edited(records: dict[str, bytes]) -> None:
        program = json.loads(records["models/model.json"])
        change(program)
        records["models/model.json"] = json.dumps(program).encode()

    return edited


def in_weights(**fields: object) -> Callable[[dict[str, bytes]], None]:
    def edited(records: dict[str, bytes]) -> None:
        place = "data/weights/model_weights_config.json"
        config = json.loads(records[place])
        next(iter(config["config"].values())).update(fields)
        records[place] = json.dumps(config).encode()
        records["data/weights/weight_0"] = payload()
        records["data/constants/opaque_obj_0"] = pickle.dumps(Hostile())

    return edited


def graph(program: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = program["graph_module"]["graph"]
    return found


def renamed(program: dict[str, Any]) -> None:
    """Put code into a name, which torch writes into Python source."""
    text = json.dumps(program).replace('"gelu"', json.dumps(f"gelu = {CODE}; gelu"))
    program.update(json.loads(text))


def sized(program: dict[str, Any]) -> None:
    text = re.sub(r'"expr_str": "[^"]*"', f'"expr_str": {json.dumps(CODE)}', json.dumps(program))
    program.update(json.loads(text))


def tree(program: dict[str, Any]) -> None:
    program["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = json.dumps(
        [1, {"type": "collections.deque", "context": '{"__enum__": 1}', "children_spec": []}]
    )


def unlisted(records: dict[str, bytes]) -> None:
    del records["data/weights/model_weights_config.json"]
    records["data/weights/model.pt"] = payload()


HOSTILE: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "weights": (in_weights(use_pickle=True), "pickled objects"),
    "opaque": (in_weights(path_name="opaque_obj_0"), "pickled objects"),
    "legacy weights": (
        unlisted,
        "pickled weights",
    ),
    "library": (lambda r: r.update({"data/aotinductor/model/x.so": b""}), "compiled code"),
    "function": (
        in_program(lambda p: graph(p)["nodes"][0].update(target="torch.serialization.os.system")),
        "'torch.serialization.os.system', which is not a plain tensor operator",
    ),
    "file": (
        in_program(
            lambda p: graph(p)["nodes"][0].update(target="torch.ops.aten.from_file.default")
        ),
        "which is not a plain tensor operator",
    ),
    "name": (in_program(renamed), "a name that is no plain one"),
    "size": (in_program(sized), "a size that is no plain expression"),
    "tree": (in_program(tree), "takes or gives a 'collections.deque'"),
    "graph": (
        in_program(lambda p: graph(p)["nodes"][0]["inputs"][0].update(arg={"as_operator": "os"})),
        "operator arguments",
    ),
    "no program": (
        lambda r: r.update({"models/model.json": b"[]"}),
        "is no program of torch.export",
    ),
    "two": (lambda r: r.update({"models/other.json": b"{}"}), "holds 2 programs"),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(small(), tmp_path_factory.mktemp("exported") / "m.pt2")


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_programs_are_refused_before_anything_runs(
    kind: str, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    change, message = HOSTILE[kind]
    path = tmp_path / "m.pt2"
    path.write_bytes(exported.read_bytes())
    with pytest.raises(InputError, match=message):
        load_model(edit(path, change), OPTIONS)
    assert not Path(MARKER).exists()


def test_guards_are_not_run(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.pt2"
    path.write_bytes(exported.read_bytes())
    edit(path, in_program(lambda p: p.update(guards_code=[CODE])))
    load_model(path, OPTIONS)
    assert not Path(MARKER).exists()


def test_programs_that_do_not_fit_are_told(tmp_path: Path) -> None:
    one = export(small(), tmp_path / "one.pt2", batch=4)
    training = export(small().train(), tmp_path / "training.pt2")
    (tmp_path / "text.pt2").write_text("x")
    cases = [
        (one, "exported for batches of exactly 4: export it again with dynamic_shapes"),
        (training, "was exported in training mode"),
        (tmp_path / "text.pt2", "is a broken archive"),
    ]
    for path, message in cases:
        with pytest.raises(InputError, match=message):
            load_model(path, OPTIONS)
    older = tmp_path / "older.pt2"
    with zipfile.ZipFile(older, "w") as archive:  # its records lie in no folder
        archive.writestr("version", "8.8")
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", payload())
    with pytest.raises(InputError, match=r"was written by torch 2\.7 or older"):
        load_model(older, OPTIONS)
    double = tmp_path / "double.pt2"
    with zipfile.ZipFile(double, "w") as archive:
        archive.writestr("m/version", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("m/version", "2")
    with pytest.raises(InputError, match="has a record twice"):
        load_model(double, OPTIONS)


class Saves(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        torch.save(images, "executed")
        return images.mean((2, 3))


class Maps(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) + torch.from_file("executed", shared=True, size=1)


class Wakes(nn.Module):
    @torch.jit.export
    def __getstate__(self) -> int:
        return 1

    @torch.jit.export
    def __setstate__(self, state: int) -> None:
        torch.save(torch.zeros(1), "executed")
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


class Foreign(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        kept = nms(images[0, 0, :, :4], images[0, 0, :, 0], 0.5)
        return images.mean((2, 3)) + kept.sum()


@pytest.mark.parametrize(
    ("network", "found"),
    [
        (Saves(), "save"),
        (Maps(), "from_file"),
        (Wakes(), "__[gs]etstate__"),
        (Foreign(), "ops.torchvision"),
    ],
)
def test_torchscript_that_touches_files_is_refused(
    network: nn.Module, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = script(network, tmp_path / "m.pt")
    Path(MARKER).unlink(missing_ok=True)
    with pytest.raises(InputError, match=f"uses .*{found}.*, which no classifier needs"):
        load_model(path, OPTIONS)
    assert not Path(MARKER).exists()


def test_the_graph_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a word hidden from the scan of the text, the compiled operators would tell."""
    monkeypatch.chdir(tmp_path)
    path = script(Saves(), tmp_path / "m.pt")
    monkeypatch.setattr("straylight.models.readers.torchscript.checked", lambda _, records: records)
    with pytest.raises(InputError, match="uses aten::save"):
        load_model(path, OPTIONS)
    assert not Path(MARKER).exists()


def test_a_pickle_is_no_torchscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Hostile()}, "m.pt")
    with pytest.raises(InputError, match="may hold pickled objects"):
        load_model("m.pt", OPTIONS)
    (tmp_path / "m.pth").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(InputError, match="may hold pickled objects"):
        load_model("m.pth", OPTIONS)
    assert not Path(MARKER).exists()
