"""Programs that do not return."""

from pathlib import Path

import pytest
from torch import Tensor

from straylight.core.errors import InputError
from straylight.models.load import load_model
from torchscript_models import SMALL_OPTIONS, Answers, scripted


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


def test_case_14_an_endless_program_is_refused(here: Path) -> None:
    with pytest.raises(InputError, match="has a loop of unlimited length"):
        load_model(scripted(Loops(), here / "m.pt"), SMALL_OPTIONS)
    with pytest.raises(InputError, match="does not return within 3 s"):
        load_model(scripted(LoopsInHiding(), here / "m.pt"), SMALL_OPTIONS)
