"""TorchScript programs: the same function, and only tensor operators are run."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from oracles import assert_same_function
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.options import ModelOptions
from torch_programs import MARKER, OPTIONS, SIDE, Hostile, Normalised, script, small


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


def test_a_pickle_is_no_torchscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Hostile()}, "m.pt")
    with pytest.raises(InputError, match="may hold pickled objects"):
        load_model("m.pt", OPTIONS)
    (tmp_path / "m.pth").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(InputError, match="may hold pickled objects"):
        load_model("m.pth", OPTIONS)
    assert not Path(MARKER).exists()
