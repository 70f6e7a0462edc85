"""Programs of torch.export: the same function, and nothing in the file is run."""

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from oracles import assert_same_function
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.options import ModelOptions
from straylight.models.readers.torch_archive import read_records, write_records
from torch_programs import MARKER, OPTIONS, SIDE, Hostile, Normalised, export, small

GREY = ModelOptions(classes=("a", "b"), size=SIDE, mean=(0.5,), std=(0.25,), head="logits")


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
    with pytest.raises(AssertionError):
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
    "name": (in_program(renamed), "a name that is not an identifier"),
    "size": (in_program(sized), "a size that is not a plain expression"),
    "tree": (in_program(tree), "takes or returns a 'collections.deque'"),
    "graph": (
        in_program(lambda p: graph(p)["nodes"][0]["inputs"][0].update(arg={"as_operator": "os"})),
        "operator arguments",
    ),
    "no program": (
        lambda r: r.update({"models/model.json": b"[]"}),
        "is not a program of torch.export",
    ),
    "two": (lambda r: r.update({"models/other.json": b"{}"}), "contains 2 programs"),
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
