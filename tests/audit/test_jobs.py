"""Names of attack jobs."""

from dataclasses import replace

from audit_runs import PLAN
from straylight.attacks.gradient import Gradient
from straylight.audit.jobs import list_jobs


def test_runs_of_the_same_name_are_told_apart() -> None:
    plan = replace(
        PLAN, methods=(Gradient(), Gradient(steps=2)), targets=("a",), targeted_methods=None
    )
    assert [job.name for job in list_jobs(plan, ("a", "b"))] == [
        "gradient",
        "gradient:steps=2",
        "gradient to a",
        "gradient:steps=2 to a",
    ]
