"""ONNX weights in files beside the model."""

import os
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto

from onnx_loading import LOADED_IMAGES, LOADED_OPTIONS, logits
from onnx_reference import IMAGES, OPTIONS
from onnxes import classifier, save
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.readers.onnx.reader import read_onnx


def outside(made: onnx.ModelProto, folder: Path, **said: str) -> Path:
    """Write a model whose convolution lies in another file."""
    tensor = next(t for t in made.graph.initializer if t.name == "w")
    (folder / "m.data").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in ({"location": "m.data"} | said).items():
        tensor.external_data.add(key=key, value=value)
    return save(made, folder / "m.onnx")


def test_weights_beside_the_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = outside(classifier(), tmp_path, offset="0", length="432")
    (tmp_path / "elsewhere" / "m.data").write_bytes(bytes(432))  # of another network
    inside = save(classifier(), tmp_path / "inside.onnx")
    found = [read_onnx(str(p), OPTIONS).network(IMAGES) for p in (path, inside)]
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"location": "/etc/hostname"}, "must be in a file beside it"),
        ({"location": "../m.data"}, "must be in a file beside it"),
        ({"location": "sub/m.data"}, "must be in a file beside it"),
        ({"location": ".."}, "must be in a file beside it"),
        ({"location": ""}, "must be in a file beside it"),
        ({"location": "linked"}, "is a link"),
        ({"location": "pipe"}, "is a link or not a file"),
        ({"location": "nothing"}, "is not beside it"),
        ({"offset": "1"}, "beyond the end"),
        ({"offset": "-1"}, "plain offset"),
        ({"length": "431"}, "claims 432"),
        ({"offset": "9" * 18}, "beyond the end"),
    ],
)
def test_other_weights_are_refused(said: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(tmp_path / "m.data")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=message):
        read_onnx(str(outside(classifier(), tmp_path, **said)), OPTIONS)


def test_case_12_weights_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    inside = logits(classifier(), path)
    onnx.save(
        classifier(), path, save_as_external_data=True, location="m.onnx.data", size_threshold=0
    )
    assert torch.equal(load_model(path, LOADED_OPTIONS)(LOADED_IMAGES), inside)


def test_hostile_8_the_working_folder_is_not_looked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model" / "m.onnx"
    onnx.save(classifier(), path, save_as_external_data=True, location="s.bin", size_threshold=0)
    (tmp_path / "model" / "s.bin").rename(tmp_path / "s.bin")
    with pytest.raises(InputError, match=r"weights in s\.bin, which is not beside it"):
        load_model(path, LOADED_OPTIONS)
