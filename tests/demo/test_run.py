"""The embedded demo: what it ships, what it draws, and that it resumes."""

import hashlib
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from safetensors.torch import load_file

from paths import ROOT
from straylight.attacks.gradient import Gradient
from straylight.audit.inputs import AuditInputs
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.demo import run as demo
from straylight.evaluation.metrics import Score, to_matrix
from straylight.models.backbones import build_network
from straylight.models.weights import load_weights
from straylight.training.recipe import Recipe
from tiny_audits import TINY_PLAN, tiny_parts

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


def test_training_and_test_phantoms_are_other_images() -> None:
    train = demo.draw_phantom_cohort(50, seed=demo.TRAIN_SEED)
    test = demo.draw_phantom_cohort(50, seed=demo.TEST_SEED)
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
    original = demo.make_recipes

    def short(seed: int) -> dict[str, Recipe]:
        return {name: replace(recipe, epochs=1) for name, recipe in original(seed).items()}

    monkeypatch.setattr(demo, "make_recipes", short)


class Killed(Silent):
    """Stops when the controls of the first audit start."""

    def start(self, title: str, total: int) -> None:
        if title == "controls":
            raise KeyboardInterrupt


@pytest.mark.usefixtures("quick")
def test_a_stopped_demo_resumes_and_a_finished_one_is_kept(tmp_path: Path) -> None:
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
    with pytest.raises(InputError, match="holds a model trained with another seed: use --force"):
        demo.run_demo(tmp_path / "a", seed=1)
    demo.run_demo(tmp_path / "a", seed=1, force=True)


def test_the_recorded_demo_shows_the_effect() -> None:
    """What the README tells: the attack against the best control of any kind, spectrum copies too."""
    items = RESULTS["demo"]["transfer"]["perturbations"]
    rates = {
        role: max(
            Score((), to_matrix(i["transitions"]), 0).fooled.rate
            for i in items
            if i["role"] == role
        )
        for role in ("attack", "control")
    }
    assert rates["attack"] >= 3 * rates["control"]


def test_make_demo_deletes_nothing() -> None:
    text = (ROOT / "Makefile").read_text()
    (line,) = [line for line in text.splitlines() if "straylight demo" in line]
    assert "--force" not in line


def test_reports_of_the_demo_are_written_as_each_audit_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both models are one small network here, and a key press stops the second audit."""
    monkeypatch.setattr(
        demo, "_train_or_load", lambda recipe, folder, tracker, force: tiny_parts()[0]
    )
    monkeypatch.setattr(demo, "draw_phantom_cohort", lambda n, seed: tiny_parts()[2])
    monkeypatch.setattr(demo, "load_inputs", lambda *_, **__: AuditInputs(*tiny_parts()))
    monkeypatch.setattr(demo, "PLAN", TINY_PLAN)
    started = []

    class Stopped(Silent):
        def start(self, title: str, total: int) -> None:
            started.append(title)
            if started.count("controls") == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.run_demo(tmp_path, tracker=Stopped())
    assert (tmp_path / "transfer" / "report.html").exists()
    first = (tmp_path / "transfer" / "audit.json").read_bytes()
    demo.run_demo(tmp_path)
    assert (tmp_path / "transfer" / "audit.json").read_bytes() == first
    assert (tmp_path / "scratch" / "report.html").exists()
    with pytest.raises(InputError, match="other settings, images or code"):
        demo.run_demo(tmp_path, seed=1)
    assert (tmp_path / "transfer" / "audit.json").read_bytes() == first
