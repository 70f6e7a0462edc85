"""Digests and precision of programs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from straylight.core.errors import InputError
from straylight.models.load import load_model
from torch_programs import OPTIONS, export, script
from torchscript_models import SMALL_OPTIONS, Answers, scripted


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_case_23_programs_in_another_precision_are_refused_by_name(
    here: Path, kind: torch.dtype
) -> None:
    name = str(kind).removeprefix("torch.")
    network = Answers().eval().to(kind)
    with pytest.raises(InputError, match=f"has weights of type {name} .*: give it in float32"):
        load_model(scripted(network, here / "m.pt"), SMALL_OPTIONS)
    shapes = ({0: torch.export.Dim("batch")},)
    images = torch.rand(2, 3, 16, 16, dtype=kind)
    program = torch.export.export(Answers().eval().to(kind), (images,), dynamic_shapes=shapes)
    torch.export.save(program, here / "m.pt2")
    with pytest.raises(InputError, match=f"has weights of type {name} .*: give it in float32"):
        load_model("m.pt2", SMALL_OPTIONS)


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
