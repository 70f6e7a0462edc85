"""What a cell is expected to take: image passes, and seconds where a throughput is stated."""

from dataclasses import dataclass

from straylight.attacks.catalogue import CONTROLS
from straylight.attacks.methods import planned
from straylight.attacks.sequential import Sequential
from straylight.audit.plan import Plan, jobs
from straylight.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Image passes a second of one worker, as measured by whoever writes the file.

    A pass is one image sent through the network forwards, or backwards.

    Attributes:
        training: While training.
        attack: Of the attacks that work in batches.
        sequential: Of `sequential`, one image at a time.
        adapting: While photographs are adapted.
        scoring: Forwards only.
    """

    training: float
    attack: float
    sequential: float
    adapting: float
    scoring: float


@dataclass(frozen=True)
class Cost:
    """Image passes and seconds; seconds are 0 where no throughput is stated."""

    passes: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.passes + other.passes, self.seconds + other.seconds)


def of_training(recipe: Recipe, n_train: int, throughput: Throughput | None) -> Cost:
    """Each image of an epoch goes forwards and backwards; those held out go forwards."""
    held_out = round(n_train * recipe.validation)
    passes = recipe.epochs * (2 * (n_train - held_out) + held_out)
    return Cost(passes, passes / throughput.training if throughput else 0.0)


def of_audit(
    plan: Plan,
    class_names: tuple[str, ...],
    n_photographs: int,
    *,
    n_train: int,
    n_test: int,
    throughput: Throughput | None,
) -> Cost:
    """Count what the attacks look at (`Attack.planned`), the adaptation, and the scoring.

    An image that an attack looks at is sent forwards and backwards once, and forwards once before it
    starts: what `gradient` does; `sequential` takes up to a third more. An oracle learns on as many medical
    images as there are photographs, or all.

    Raises:
        InputError: If an attack cannot do with so many photographs.
    """
    wanted = jobs(plan, class_names)
    sizes = {"photographs": n_photographs, "adapted": plan.adaptation.n}
    sizes["medical"] = min(n_photographs, n_train or n_photographs)
    total = Cost()
    for job in wanted:
        n = sizes[job.method.source]
        passes = 2 * planned(job.method.attack, n, len(class_names)) + n
        one_by_one = isinstance(job.method.attack, Sequential)
        total += timed(passes, throughput, "sequential" if one_by_one else "attack")
    if any(job.method.source == "adapted" for job in wanted):
        passes = 2 * plan.adaptation.steps * plan.adaptation.batch_size
        total += timed(passes, throughput, "adapting")
    # Copies of a spectrum are made of attacks: one control each; the other kinds have their seeds.
    scored = len(wanted) * (2 + plan.curve) + (len(CONTROLS) - 1) * plan.control_seeds
    return total + timed((2 * scored + 1) * n_test, throughput, "scoring")


def timed(passes: int, throughput: Throughput | None, work: str) -> Cost:
    """Divide passes by the stated throughput of that work."""
    return Cost(passes, passes / getattr(throughput, work) if throughput else 0.0)
