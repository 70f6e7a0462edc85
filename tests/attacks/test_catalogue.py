"""The catalogue: every entry, and that entering an attack or a control in it is all that is needed."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from oracles import Linear
from straylight.attacks.ball import Ball
from straylight.attacks.catalogue import (
    ATTACKS,
    CONTROLS,
    AttackEntry,
    ControlEntry,
    ControlKind,
    find_name,
)
from straylight.attacks.controls import Control
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.attacks.protocol import Attack, Snapshot, ThreatModel
from straylight.audit.plan import Plan
from straylight.audit.results import Audit
from straylight.audit.run import run
from straylight.audit.storage import load_audit
from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.core.tensors import Delta
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.report.render import write_report
from straylight.report.verdict import reach_verdict
from straylight.study.config.matrix import AXES
from straylight.study.report.aggregate import AggregateRow, aggregate_rows
from straylight.study.run.audit_figures import audit_figures

NAMES = ("dark", "light")
SHAPE = (3, 8, 8)


@dataclass(frozen=True, kw_only=True)
class Darken:
    """A toy attack: lower every pixel alike."""

    steps: int = 4

    takes_target: ClassVar[bool] = True
    threat_model: ClassVar[ThreatModel] = "T1"

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return self.steps

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        for step in range(self.steps):
            delta = ball.scale(-torch.ones(1, *photographs.shape)) * (step + 1) / self.steps
            yield Snapshot(ball.project(delta), step + 1)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A toy control: random rows."""

    threat_model: ClassVar[ThreatModel] = "T0"

    def __call__(self, perturbation: Delta, ball: Ball, *, generator: torch.Generator) -> Delta:
        rows = torch.randn(*perturbation.shape[:3], 1, generator=generator)
        return ball.scale(rows.expand_as(perturbation).contiguous())


@pytest.fixture
def toy_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = AttackEntry(
        f"{__name__}:Darken",
        "lowers every pixel",
        "nobody",
        "https://example.org",
        effort={"steps": 4},
    )
    monkeypatch.setitem(ATTACKS, "darken", entry)


def enter_control(monkeypatch: pytest.MonkeyPatch, kind: ControlKind) -> None:
    entry = ControlEntry(
        f"{__name__}:Rows", "random rows", "nobody", "https://example.org", kind=kind
    )
    monkeypatch.setitem(CONTROLS, "rows", entry)


def audited(out: Path, *methods: str) -> Audit:
    """Audit a classifier that calls an image light where its mean is above one half."""
    network = Linear(torch.full(SHAPE, 4 / 192), -2.0)
    classifier = Classifier(
        network, shape=SHAPE, class_names=NAMES, mean=(0.0,) * 3, std=(1.0,) * 3
    )
    shades = torch.tensor([110, 150]).repeat_interleave(20) + torch.arange(40) % 5
    pixels = shades.to(torch.uint8)[:, None, None, None].expand(40, *SHAPE).clone()
    pixels[:, :, 0] -= 1
    cohort = Cohort(ImageSet(pixels, "shades"), torch.arange(2).repeat_interleave(20), NAMES)
    generator = torch.Generator().manual_seed(0)
    natural = torch.randint(100, 156, (30, *SHAPE), generator=generator, dtype=torch.uint8)
    plan = Plan(zeta=0.25, methods=methods, targets=("dark",), control_seeds=2)
    return run(plan, classifier, ImageSet(natural, "noise"), cohort, out, keep_predictions=True)


def rows_of(audit: Audit, folder: Path) -> dict[tuple[str, str | None], AggregateRow]:
    """Return the rows of a study's tables that has this audit alone."""
    figures = audit_figures(audit, folder)
    cell = dict.fromkeys(AXES) | {"cell": "a", "n_clean": figures["n_correct"]}
    attacks = [row | cell for row in figures["perturbations"] if row["role"] != "control"]
    pairs = {
        ("a", row["name"]): [pair for pair in figures["pairs"] if pair["attack"] == row["name"]]
        for row in attacks
    }
    return {(row.attack, row.target): row for row in aggregate_rows(attacks, pairs)}


def test_catalogue_makes_attacks_and_controls() -> None:
    assert all(isinstance(entry.make(), Attack) for entry in ATTACKS.values())
    assert all(isinstance(entry.make(), Control) for entry in CONTROLS.values())


@pytest.mark.parametrize("name", [*ATTACKS, *CONTROLS])
def test_an_entry_is_found_by_what_it_makes(name: str) -> None:
    assert find_name((ATTACKS | CONTROLS)[name].make()) == name


@pytest.mark.parametrize("name", ATTACKS)
def test_the_stated_effort_is_that_of_the_default_settings(name: str) -> None:
    defaults = vars(ATTACKS[name].make())
    assert ATTACKS[name].effort
    assert ATTACKS[name].effort.items() <= defaults.items()


def test_the_catalogue_is_read_without_torch() -> None:
    code = "import sys, straylight.attacks.catalogue; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("toy_attack")
def test_an_attack_is_added_by_its_line_alone(tmp_path: Path) -> None:
    audit = audited(tmp_path, "darken:steps=1", "gradient:steps=2,batch_size=4")
    assert [item.name for item in audit.perturbations][:3] == [
        "darken",
        "gradient",
        "darken to dark",
    ]
    attack = audit.perturbations[0]
    assert (attack.role, attack.threat_model, attack.images_seen) == ("attack", "T1", 1)
    assert attack.score.fooled.hits == 20  # every light image
    assert load_audit(tmp_path) == audit
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "darken ran with steps 1, where 4 are usual" in page
    row = rows_of(audit, tmp_path)["darken:steps=1", None]
    assert (row.rate.rate, row.n_images) == (0.5, 40)


@pytest.mark.usefixtures("toy_attack")
def test_an_attack_that_is_added_is_named_where_others_are() -> None:
    assert Method.parse("darken@adapted:steps=2") == Method(Darken(steps=2), "adapted")
    with pytest.raises(InputError, match=r"the catalogue has auto, .*, darken;"):
        Method.parse("lighten")
    with pytest.raises(InputError, match=r"use one of gradient, .*, darken"):
        Plan(zeta=0.1, methods="gradient", targeted_methods="auto", targets="dark")


@pytest.mark.parametrize(("kind", "n_noises"), [("noise", 6), ("pattern", 4), ("spectrum", 4)])
def test_a_control_is_added_by_its_line_alone(
    kind: ControlKind, n_noises: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random sphere and random sign have two seeds each: four controls that are noise."""
    enter_control(monkeypatch, kind)
    audit = audited(tmp_path, "gradient:steps=2,batch_size=4")
    made = [item.name for item in audit.of_role("control") if item.method.name == "rows"]
    copies = ["rows gradient", "rows gradient to dark"]
    assert made == (copies if kind == "spectrum" else ["rows 1", "rows 2"])
    assert ">rows" in write_report(tmp_path).read_text(encoding="utf-8")
    assert reach_verdict(audit).n_noises == n_noises
    assert rows_of(audit, tmp_path)["gradient:steps=2,batch_size=4", None].n_controls == n_noises


def test_a_control_that_is_not_in_the_catalogue_counts_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an audit that a later version made."""
    with monkeypatch.context() as later:
        enter_control(later, "noise")
        audit = audited(tmp_path, "gradient:steps=2,batch_size=4")
        assert reach_verdict(audit).n_noises == 6
    verdict = reach_verdict(audit)
    assert (verdict.n_noises, verdict.noise.method.name in CONTROLS) == (4, True)
    assert verdict.pattern is not None
    assert verdict.pattern.method.name in CONTROLS
    assert rows_of(audit, tmp_path)["gradient:steps=2,batch_size=4", None].n_controls == 4
    assert ">rows" in write_report(tmp_path).read_text(encoding="utf-8")


def test_settings_of_a_recorded_method_are_those_that_differ() -> None:
    method = Method(Gradient(steps=3, loss="cosine"), "medical")
    text = "gradient@medical:steps=3,loss=cosine"
    assert str(method) == Method.format_recorded(method.to_json(), "medical") == text
    assert Method.parse(text) == method
