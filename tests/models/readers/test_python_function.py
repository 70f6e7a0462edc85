"""A network from the user's own function."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from loading import MODULE, NOISE, options
from straylight.models.classifier import Classifier
from straylight.models.load import load_model


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("own_model.py").write_text(MODULE)
    return tmp_path


def test_a_function_of_ones_own(module: Path) -> None:
    level = NOISE.mean((1, 2, 3))
    expected = torch.stack([-level, level], 1)
    plain = load_model("python:own_model:level", options())
    torch.testing.assert_close(plain(NOISE), expected)
    shifted = load_model("python:own_model:level", options(mean=(0.5,) * 3, std=(0.25,) * 3))
    torch.testing.assert_close(shifted(NOISE), (expected - torch.tensor([-0.5, 0.5])) / 0.25)
    soft = load_model("python:own_model:softmax", options())
    assert soft.card["head"] == "probabilities"
    torch.testing.assert_close(soft(NOISE).softmax(1), expected.softmax(1))
    single = load_model("python:own_model:single", options())
    assert single.card["head"] == "one-logit"
    light = (4 * (level - 0.5)).sigmoid()
    torch.testing.assert_close(single(NOISE).softmax(1), torch.stack([1 - light, light], 1))
    said = options(classes=("effusion", "mass", "nodule"), finding="mass")
    torch.manual_seed(0)  # it begins at random
    mass = load_model("python:own_model:findings", said)
    assert (mass.card["head"], mass.class_names) == ("one-probability", ("no mass", "mass"))
    torch.manual_seed(0)
    together = load_model("python:own_model:findings", replace(said, finding="all"))
    assert together.class_names == ("no finding", "effusion", "mass", "nodule")
    assert together.card["finding"].startswith("the strongest of all that are more likely than not")
    assert mass.card["finding"] == "mass"
    torch.testing.assert_close(together(NOISE)[:, 2], mass(NOISE)[:, 1] - mass(NOISE)[:, 0])
    assert isinstance(load_model("python:own_model:whole"), Classifier)
