"""The attacks that a plan asks for, one job each."""

from collections import Counter
from dataclasses import dataclass

from straylight.attacks.catalogue import controls_of_kind
from straylight.attacks.method import Method
from straylight.audit.plan import Plan
from straylight.core.errors import InputError, join_names, quote_text


@dataclass(frozen=True)
class AttackJob:
    """One attack to run: its unique name, its method and its target class."""

    name: str
    method: Method
    target: str | None


def list_jobs(plan: Plan, class_names: tuple[str, ...]) -> list[AttackJob]:
    """List the attacks: each method non-targeted, then each targeted method for each target.

    Raises:
        InputError: If a target is not a class.
    """
    for target in plan.targets:
        if target not in class_names:
            raise InputError(
                f"the target '{quote_text(target)}' is not one of the classes {join_names(class_names)}."
            )
    wanted: list[tuple[Method, str | None]] = [(method, None) for method in plan.untargeted]
    wanted += [(method, target) for method in plan.targeted for target in plan.targets]
    found: dict[str, AttackJob] = {}
    alike = Counter((method.run_name, goal) for method, goal in wanted)
    for method, goal in wanted:
        name = str(method) if alike[method.run_name, goal] > 1 else method.run_name
        name += "" if goal is None else f" to {goal}"
        numbered = (f"{name} #{n}" for n in range(2, len(wanted) + 2))  # of equal names
        name = name if name not in found else next(n for n in numbered if n not in found)
        found[name] = AttackJob(name, method, goal)
    return list(found.values())


def count_perturbations(wanted: list[AttackJob], plan: Plan) -> int:
    """Count the perturbations that an audit will make: attacks and oracles, and their controls."""
    n_random = len(controls_of_kind("noise", "pattern")) * plan.control_seeds
    n_attacks = sum(job.method.threat_model != "oracle" for job in wanted)
    return len(wanted) + n_random + n_attacks * len(controls_of_kind("spectrum"))
