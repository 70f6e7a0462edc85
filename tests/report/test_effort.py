"""Weak runs are reported: less than half of the usual effort, or few photographs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import straylight
from fixed_audit import fixed_audit
from shades import SHAPE, Parts, quick
from straylight import Classifier, ImageSet, Snapshot
from straylight.attacks.ball import Ball
from straylight.attacks.catalogue import ATTACKS
from straylight.audit.perturbation import MethodInfo
from straylight.audit.results import Audit
from straylight.core.progress import Silent
from straylight.data.photographs.load import load_natural
from straylight.report.effort import describe_training_images, weak_run_warnings
from straylight.report.render import render


def with_steps(steps: int) -> Audit:
    """Return the fixed audit, its first attack run for so many steps of 32 photographs."""
    audit = fixed_audit()
    first, *rest = audit.perturbations
    method = MethodInfo("gradient", {"steps": steps, "batch_size": 32})
    return replace(audit, perturbations=(replace(first, method=method), *rest))


@pytest.mark.parametrize(("steps", "n"), [(149, 1), (150, 0), (300, 0)])
def test_half_of_the_usual_steps_is_the_limit(steps: int, n: int) -> None:
    warnings = weak_run_warnings(with_steps(steps))
    assert len(warnings) == n
    assert all(f"ran with steps {steps} and batch size 32, where 300" in w for w in warnings)


@pytest.mark.parametrize(("name", "key"), [("auto", "image_passes"), ("sequential", "epochs")])
@pytest.mark.parametrize("older", [False, True])
def test_effort_is_known_by_its_older_name_as_well(name: str, key: str, older: bool) -> None:
    usual = ATTACKS[name].effort[key]
    audit = fixed_audit()
    first, *rest = audit.perturbations
    for value, n in ((usual, 0), (usual // 3, 1)):
        settings = dict(ATTACKS[name].effort) | {key: value}
        if older:
            settings["passes"] = settings.pop(key)
        method = MethodInfo(name, settings)
        changed = replace(audit, perturbations=(replace(first, method=method), *rest))
        assert len(weak_run_warnings(changed)) == n


def test_few_photographs_are_reported() -> None:
    audit = with_steps(300)
    few = replace(audit, natural=replace(audit.natural, spec="photos/", kind="photographs", n=99))
    (warning,) = weak_run_warnings(few)
    assert "made from 99 photographs, where 1,000 are usual" in warning


def test_images_that_were_not_all_seen_are_counted() -> None:
    audit = fixed_audit()
    item = replace(audit.perturbations[0], n_distinct_seen=20)
    said = describe_training_images(audit, item)
    assert said == "from 20 of 1,000 crops of 11 photographs"


class Picky:
    """Looks at the first and the fourth photograph, twice at the first. A class without settings."""

    threat_model = "T1"
    takes_target = False

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return 3

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        photographs.images(slice(0, 1))
        photographs.subset(torch.tensor([3, 5])).images(torch.tensor([0]))
        photographs.images(torch.tensor([0]))
        yield Snapshot(ball.scale(torch.ones(1, *photographs.shape)), 3)


@pytest.mark.parametrize(
    ("spec", "said", "noun"),
    [
        ("builtin:photos", "made from 2 of 40 crops of 11 photographs changes", "photographs"),
        ("builtin:noise", "made from 2 of 40 drawings changes", "drawings"),
    ],
)
def test_the_report_says_what_was_learned_on(
    shades: Parts, tmp_path: Path, spec: str, said: str, noun: str
) -> None:
    photographs = load_natural(spec, SHAPE, n=40)
    audit = straylight.run(
        quick(methods=Picky()), shades[0], photographs, shades[2], tmp_path, tracker=Silent()
    )
    natural = json.loads((tmp_path / "audit.json").read_text())["natural"]
    assert (natural["n"], natural["n_distinct"]) == (40, 11 if noun == "photographs" else 40)
    assert [item.n_distinct_seen for item in audit.perturbations[:2]] == [2, None]
    page = render(audit, tmp_path)
    assert said in page
    assert f"Some of the {noun} that the attacks" in page
    assert "looked at 3 times in all" in page
    assert "where 1,000 are usual" in page  # 40 are far fewer
    again = straylight.load_audit(tmp_path)
    assert json.dumps(again.to_json()) == json.dumps(audit.to_json())


def test_copies_of_one_photograph_are_one(shades: Parts, tmp_path: Path) -> None:
    copies = ImageSet(torch.full((30, *SHAPE), 9, dtype=torch.uint8), "copies")
    audit = straylight.run(quick(), shades[0], copies, shades[2], tmp_path, tracker=Silent())
    assert "30 photographs (1 different)" in render(audit, tmp_path)
