"""Plans: budgets in pixel units, and settings that are refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit_runs import PLAN
from shades import cohort_of
from straylight.attacks.auto import Auto
from straylight.attacks.ball import Ball
from straylight.attacks.gradient import Gradient
from straylight.attacks.lift import Lift
from straylight.audit.plan import Plan
from straylight.audit.run import run
from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


def test_linf_budgets_in_pixel_units(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    plan = Plan(norm="linf", eps=8 / 255, methods=(Gradient(steps=3),), control_seeds=1)
    audit = run(plan, *parts, tmp_path)
    assert audit.budget.zeta is None
    assert audit.budget.eps_rms_levels == pytest.approx(8)
    assert all(item.linf <= 8 / 255 + 1e-7 for item in audit.perturbations)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"zeta": None}, "give either zeta or eps"),
        ({"eps": 0.1}, "give either zeta or eps"),
        ({"methods": ()}, "at least one method"),
        (
            {"methods": (Auto(), Lift()), "targeted_methods": None},
            "none of the methods auto, lift takes a target",
        ),
        ({"targeted_methods": (Gradient(loss="cosine"),)}, "gradient takes no target"),
        ({"control_seeds": 0}, "control_seeds must be at least 1"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(PLAN, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"curve": 99_999_999_999}, "curve must be at most 64, not 99999999999"),
        ({"control_seeds": 99_999_999}, "control_seeds must be at most 256"),
    ],
)
def test_vast_settings_are_refused_at_once(settings: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Plan(zeta=0.02, **settings)  # type: ignore[arg-type]


def unchecked(**settings: object) -> Any:  # noqa: ANN401
    """Make a plan as it is made where no test looks at types before it does."""
    plan = object.__new__(Plan)
    fields = vars(Plan(zeta=0.1)) | {"zeta": None}
    vars(plan).update(fields | settings)
    plan.__post_init__()
    return plan


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "linf", "eps": 8}, r"eps=8/255"),
        ({"zeta": "2%"}, r"zeta must be a number, such as 0.02, not '2%'"),
        ({"zeta": True}, r"zeta must be a number, such as 0.02, not True \(bool\)"),
        ({"zeta": 10**400}, "zeta must be a number"),
        ({"eps": [1]}, r"eps must be a number, such as 8/255, not \[1\] \(list\)"),
        ({"zeta": 0.1, "norm": "L2"}, "norm must be one of l2, linf, not 'L2'"),
        ({"zeta": 0.1, "methods": Gradient}, r"Gradient is a class: give .* such as Gradient\(\)"),
        ({"zeta": 0.1, "methods": (7,)}, r"methods must be attacks, .* not 7 \(int\)"),
        ({"zeta": 0.1, "methods": None}, "methods must be attacks, .* not None"),
        ({"zeta": 0.1, "methods": object()}, "object is not an attack, since it lacks __call__"),
        ({"zeta": 0.1, "targeted_methods": ("x",)}, "there is no attack 'x'"),
        ({"zeta": 0.1, "targets": 3}, r"targets must be words, such as .* not 3 \(int\)"),
        ({"zeta": 0.1, "targets": ("A", 1)}, "targets must be words"),
        ({"zeta": 0.1, "adaptation": {}}, "adaptation must be an Adaptation"),
        ({"zeta": 0.1, "seed": 0.5}, r"seed must be a whole number, not 0.5 \(float\)"),
        ({"zeta": 0.1, "seed": 2**70}, "seed must be smaller"),
        ({"zeta": 0.1, "curve": True}, "curve must be a whole number"),
        ({"zeta": 0.1, "control_seeds": 0}, "control_seeds must be at least 1, not 0"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        unchecked(**settings)


def test_numbers_of_any_type_are_taken() -> None:
    assert Plan(zeta=1).zeta == 1.0
    plan = unchecked(zeta=np.float32(0.5), seed=np.int64(3))
    assert (type(plan.zeta), plan.zeta, type(plan.seed), plan.seed) == (float, 0.5, int, 3)
    with pytest.raises(InputError, match=r"at most 8 for l2 .* not 9"):
        Plan(eps=9).ball(cohort_of().images)  # the root of 64 pixels
    assert Plan(eps=8).ball(cohort_of().images) == Ball("l2", 8.0)
    with pytest.raises(InputError, match="at most 1 for linf"):
        Ball("linf", 2.0)
