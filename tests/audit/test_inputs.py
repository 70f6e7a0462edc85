"""Inputs that do not belong together are refused before anything is run."""

import inspect
from dataclasses import replace
from pathlib import Path

import pytest

import straylight
from audit_runs import PLAN
from shades import NAMES, Parts, quick
from straylight.attacks.auto import Auto
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.audit.inputs import AuditInputs
from straylight.audit.jobs import list_jobs
from straylight.audit.plan import Plan
from straylight.audit.run import run, run_audit
from straylight.cohort.cohort import Cohort
from straylight.core.checks import check_folder
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.models.classifier import Classifier


def test_parts_that_do_not_match_are_refused(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    classifier, photographs, cohort = parts
    grey = load_natural("builtin:photos", (1, 32, 32), n=3)
    with pytest.raises(InputError, match=r"has images of shape \(1, 32, 32\)"):
        run(PLAN, classifier, grey, cohort, tmp_path)
    renamed = Cohort(cohort.images, cohort.labels, ("light", "dark"))
    with pytest.raises(InputError, match=r"has the classes light, dark; the classifier has dark"):
        run(PLAN, classifier, photographs, renamed, tmp_path)
    with pytest.raises(InputError, match="the target 'none' is not one of the classes"):
        run(replace(PLAN, targets=("none",)), *parts, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file: give a folder"):
        run(PLAN, *parts, tmp_path / "file")
    with pytest.raises(InputError, match=r"cannot be written to \(Not a directory\)"):
        run(PLAN, *parts, tmp_path / "file" / "below")


def test_an_oracle_may_not_learn_on_what_it_is_scored_on(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    _, photographs, cohort = parts
    oracle = Method(Gradient(steps=1), "medical")
    plan = replace(PLAN, methods=(oracle, Gradient(steps=1)), targets=())
    with pytest.raises(InputError, match="learns on medical images: give them"):
        run(plan, *parts, tmp_path)
    some = ImageSet(cohort.images.pixels[:5], "training")
    with pytest.raises(InputError, match="5 images of training are in "):
        run(plan, *parts, tmp_path, training=some)
    with pytest.raises(InputError, match="has images of shape"):
        run(plan, *parts, tmp_path, training=ImageSet(photographs.pixels[:, :1], "grey"))
    with pytest.raises(InputError, match="give at least one attack"):
        run(replace(plan, methods=(oracle,)), *parts, tmp_path, training=photographs)
    assert not (tmp_path / "audit.json").exists()


def test_too_few_passes_are_refused_before_anything_is_run(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    plan = Plan(norm="l2", zeta=0.1, methods=(Gradient(steps=1), Auto(image_passes=100)))
    with pytest.raises(InputError, match="auto cannot try two goals on 3000 photographs"):
        run(plan, *parts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def unchecked_inputs(**given: object) -> None:
    """Make inputs as they are made where no test looks at types before it does."""
    inputs = object.__new__(AuditInputs)
    vars(inputs).update({"training": None, "public": None} | given)
    inputs.__post_init__()


def test_one_or_several_and_paths_as_text(shades: Parts, tmp_path: Path) -> None:
    plan = Plan(zeta=0.1, methods="gradient@adapted:steps=9", targets="light")
    assert plan.untargeted == (Method(Gradient(steps=9), "adapted"),)
    assert [job.name for job in list_jobs(plan, NAMES)] == [
        "gradient@adapted",
        "gradient@adapted to light",
    ]
    assert Plan(zeta=0.1, methods=[Gradient(), "sga"]).settings()["methods"][1]["name"] == "sga"
    audit = straylight.run(quick(), *shades, str(tmp_path / "text"), tracker=Silent())
    assert (tmp_path / "text" / audit.perturbations[0].file).exists()
    # The types of arguments are checked in tests; a user's wrong argument reaches the function itself.
    for wrong, name in ((3, "plan"), ("x", "plan")):
        with pytest.raises(InputError, match=f"^{name} must be created by Plan"):
            inspect.unwrap(AuditInputs.check)(AuditInputs(*shades), wrong)
    given = dict(zip(("classifier", "photographs", "cohort"), shades, strict=True))
    for name in given:
        with pytest.raises(InputError, match=f"^{name} must be created by .*, not 'skin'"):
            unchecked_inputs(**given | {name: "skin"})
    with pytest.raises(InputError, match=r"^training must be created by"):
        unchecked_inputs(**given, training=shades[2])
    for out in (3, None, ""):
        with pytest.raises(InputError, match=r"^out must be a folder"):
            check_folder(out)
    for out in ("a\0b", "x" * 5_000):
        with pytest.raises(InputError, match="cannot be a folder"):
            check_folder(out)
    for name, value in (("note", 3), ("command", None), ("tracker", 3)):
        with pytest.raises(InputError, match=f"^{name} must be "):
            inspect.unwrap(run_audit)(
                quick(), AuditInputs(*shades), tmp_path / "typed", **{name: value}
            )
