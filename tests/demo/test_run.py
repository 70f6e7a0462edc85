"""The embedded demo: what it ships, what it draws, and that it goes on where it was stopped."""

import hashlib
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from paths import ROOT
from straylight.attacks.gradient import Gradient
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.demo import run as demo
from straylight.demo.phantoms import CLASS_NAMES, phantoms
from straylight.evaluation.metrics import Score, matrix
from straylight.models.backbones import build_network
from straylight.models.weights import load_weights
from straylight.training.recipe import Recipe

SHIPPED = Path(str(files("straylight") / "demo"))
CARD = json.loads((SHIPPED / "backbone.json").read_text())
RESULTS = json.loads((ROOT / "benchmarks" / "results.json").read_text())


def test_the_backbone_is_the_recorded_one_and_small() -> None:
    content = (SHIPPED / "backbone.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == CARD["sha256"]
    assert len(content) <= 2_000_000
    network = build_network(CARD["architecture"], CARD["arguments"], 4)
    load_weights(network, SHIPPED / "backbone.safetensors", new_head=True)
    assert all("fc" not in name for name in load_file(SHIPPED / "backbone.safetensors"))


def test_phantoms_are_balanced_and_the_same_for_a_seed() -> None:
    images, labels = phantoms(42, size=32, seed=3)
    assert images.shape == (42, 32, 32, 3)
    assert images.dtype == np.uint8
    assert sorted(np.bincount(labels)) == [10, 10, 11, 11]
    again, _ = phantoms(42, size=32, seed=3)
    assert np.array_equal(images, again)
    assert not np.array_equal(images, phantoms(42, size=32, seed=4)[0])


def test_phantoms_do_not_differ_by_their_mean_colour() -> None:
    """The class is in the structure: mean colours differ less between classes than within one."""
    images, labels = phantoms(200, size=32, seed=0)
    colours = images.mean((1, 2))
    means = np.stack([colours[labels == label].mean(0) for label in range(len(CLASS_NAMES))])
    assert means.std(0).max() < colours.std(0).min()


def test_training_and_test_phantoms_are_other_images() -> None:
    train = demo.phantom_cohort(50, seed=demo.TRAIN_SEED)
    test = demo.phantom_cohort(50, seed=demo.TEST_SEED)
    one, other = ({image.numpy().tobytes() for image in c.images.pixels} for c in (train, test))
    assert not one & other


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo with hardly any images and steps."""
    monkeypatch.setattr(demo, "N_TRAIN", 40)
    monkeypatch.setattr(demo, "N_TEST", 12)
    monkeypatch.setattr(demo, "N_PHOTOGRAPHS", 11)
    plan = replace(demo.PLAN, methods=(Gradient(steps=2, batch_size=4),), targets=())
    monkeypatch.setattr(demo, "PLAN", plan)
    original = demo.recipes

    def short(seed: int) -> dict[str, Recipe]:
        return {name: replace(recipe, epochs=1) for name, recipe in original(seed).items()}

    monkeypatch.setattr(demo, "recipes", short)


class Killed(Silent):
    """Stops when the controls of the first audit start."""

    def start(self, title: str, total: int) -> None:
        if title == "controls":
            raise KeyboardInterrupt


@pytest.mark.usefixtures("quick")
def test_a_stopped_demo_goes_on_and_a_finished_one_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        demo.run_demo(tmp_path / "a", tracker=Killed())
    resumed = demo.run_demo(tmp_path / "a")
    whole = demo.run_demo(tmp_path / "b")
    assert list(resumed) == ["transfer", "scratch"]
    for name, audit in whole.items():
        assert "ynthetic" in audit.cohort.note
        scores = [item.score for item in audit.perturbations]
        assert scores == [item.score for item in resumed[name].perturbations]
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    (tmp_path / "a" / "transfer" / "report.html").unlink()
    again = demo.run_demo(tmp_path / "a")
    for name, audit in again.items():
        written = json.loads((tmp_path / "a" / name / "audit.json").read_text())
        assert json.loads(json.dumps(audit.to_json())) == written
    assert {p: p.read_bytes() for p in (tmp_path / "a").rglob("*") if p.is_file()} == before
    with pytest.raises(InputError, match="holds the model of another seed: use --force"):
        demo.run_demo(tmp_path / "a", seed=1)
    demo.run_demo(tmp_path / "a", seed=1, force=True)


def test_the_recorded_demo_shows_the_effect() -> None:
    """What the README tells: the attack against the best control of any kind, spectrum copies too."""
    items = RESULTS["demo"]["transfer"]["perturbations"]
    rates = {
        role: max(
            Score((), matrix(i["transitions"]), 0).fooled.rate for i in items if i["role"] == role
        )
        for role in ("attack", "control")
    }
    assert rates["attack"] >= 3 * rates["control"]
