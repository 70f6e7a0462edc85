"""Estimate what a training or an audit takes: image passes, and seconds if the throughput is known."""

from straylight.attacks.catalogue import controls_of_kind
from straylight.attacks.sequential import Sequential
from straylight.audit.jobs import list_jobs
from straylight.audit.plan import Plan
from straylight.study.config.cost import CellCost, Throughput
from straylight.training.recipe import Recipe


def training_cost(recipe: Recipe, n_train: int, throughput: Throughput | None) -> CellCost:
    """Count two passes for each training image of an epoch, and one for each held-out image."""
    held_out = round(n_train * recipe.validation)
    passes = recipe.epochs * (2 * (n_train - held_out) + held_out)
    return CellCost(passes, passes / throughput.training if throughput else 0.0)


def audit_cost(
    plan: Plan,
    class_names: tuple[str, ...],
    n_photographs: int,
    *,
    n_train: int,
    n_test: int,
    throughput: Throughput | None,
) -> CellCost:
    """Count the image passes of the attacks (see `Attack.planned`), the adaptation and the scoring.

    Each image that an attack looks at takes one forward and one backward pass, and each photograph one
    forward pass at the start, as in `gradient`; `sequential` takes up to a third more. An oracle learns on
    as many medical images as there are photographs, or on all.

    Raises:
        InputError: If an attack cannot run on so many photographs.
    """
    wanted = list_jobs(plan, class_names)
    sizes = {"photographs": n_photographs, "adapted": plan.adaptation.n}
    sizes["medical"] = min(n_photographs, n_train or n_photographs)
    total = CellCost()
    for job in wanted:
        n = sizes[job.method.source]
        passes = 2 * job.method.planned(n, len(class_names)) + n
        one_by_one = isinstance(job.method.attack, Sequential)
        total += _work_cost(passes, throughput, "sequential" if one_by_one else "attack")
    if any(job.method.source == "adapted" for job in wanted):
        passes = 2 * plan.adaptation.steps * plan.adaptation.batch_size
        total += _work_cost(passes, throughput, "adapting")
    # Each attack has its copies of its spectrum; the other controls have their seeds.
    copies, seeded = controls_of_kind("spectrum"), controls_of_kind("noise", "pattern")
    scored = len(wanted) * (1 + len(copies) + plan.curve) + len(seeded) * plan.control_seeds
    return total + _work_cost((2 * scored + 1) * n_test, throughput, "scoring")


def _work_cost(passes: int, throughput: Throughput | None, work: str) -> CellCost:
    """Return a number of passes with its time at the stated throughput of a kind of work."""
    return CellCost(passes, passes / getattr(throughput, work) if throughput else 0.0)
