"""TorchScript programs whose source is refused."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import nms

from straylight.core.errors import InputError
from straylight.models.load import load_model
from torch_programs import MARKER, OPTIONS, Saves, script
from torchscript_models import SMALL_OPTIONS, Answers, scripted


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Prints(Answers):
    def forward(self, images: Tensor) -> Tensor:
        print("\033]0;owned\007")
        found: Tensor = self.layer(images.mean((2, 3)))
        return found


def test_case_20_a_program_that_prints_is_refused(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="uses print, which no classifier needs"):
        load_model(scripted(Prints(), here / "m.pt"), SMALL_OPTIONS)
    assert capfd.readouterr() == ("", "")


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
