"""TorchScript programs that modify their state."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from straylight.core.errors import InputError
from straylight.models.load import load_model
from torch_programs import MARKER, OPTIONS, Saves, script
from torchscript_models import SMALL_OPTIONS, Answers, scripted


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


@pytest.mark.parametrize(("network", "what"), [(Counts, "calls"), (CountsInBuffer, "add_")])
def test_case_24_a_program_that_counts_its_calls_is_refused(
    here: Path, network: Callable[[], nn.Module], what: str
) -> None:
    with pytest.raises(InputError, match=f"modifies its own state when it runs .*{what}"):
        load_model(scripted(network(), here / "m.pt"), SMALL_OPTIONS)


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
    with pytest.raises(InputError, match="modifies its own state when it runs"):
        load_model(scripted(network(), here / "m.pt"), SMALL_OPTIONS)


def test_lists_properties_and_noise_in_training_are_read(here: Path) -> None:
    network = Honest().eval()
    found = load_model(scripted(network, here / "m.pt"), SMALL_OPTIONS)
    images = torch.rand(2, 3, 16, 16).mul(255).round().div(255)
    with torch.no_grad():
        torch.testing.assert_close(found(images), network(images))


def test_the_graph_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a word hidden from the scan of the text, the compiled operators would tell."""
    monkeypatch.chdir(tmp_path)
    path = script(Saves(), tmp_path / "m.pt")
    monkeypatch.setattr(
        "straylight.models.readers.torchscript.rewrite_records", lambda _, records: records
    )
    with pytest.raises(InputError, match="uses aten::save"):
        load_model(path, OPTIONS)
    assert not Path(MARKER).exists()
