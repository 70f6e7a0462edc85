"""What to audit: the settings, and the attacks they call for."""

from dataclasses import asdict, dataclass
from typing import Any

from straylight.attacks import Attack, Gradient, Sequential, describe
from straylight.ball import Ball, Norm, eps_from_zeta
from straylight.errors import InputError
from straylight.images import ImageSet


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to audit, without the data.

    Attributes:
        norm: ``l2`` or ``linf``.
        zeta: Budget as a share of the mean norm of the cohort's images, as in the paper.
        eps: Budget on images in [0, 1], instead of `zeta`.
        methods: The attacks, each run non-targeted.
        targets: Class names; each is also the target of a run of each of `targeted_methods`.
        targeted_methods: None: the same as `methods`.
        control_seeds: How many random controls of each kind.
        seed: Of all attacks; the controls count up from it.
    """

    norm: Norm = "l2"
    zeta: float | None = None
    eps: float | None = None
    methods: tuple[Attack, ...] = (Gradient(), Sequential())
    targets: tuple[str, ...] = ()
    targeted_methods: tuple[Attack, ...] | None = None
    control_seeds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.zeta is None) == (self.eps is None):
            raise InputError("give either zeta or eps as the budget, and not both.")
        if not self.methods:
            raise InputError("give at least one method.")
        if self.control_seeds < 1:
            raise InputError(f"control_seeds must be at least 1, not {self.control_seeds}.")

    def ball(self, medical: ImageSet) -> Ball:
        """Return the budget in pixel units; `zeta` is a share of the mean norm of `medical`."""
        if self.zeta is None:
            return Ball(self.norm, float(self.eps or 0))
        return Ball(self.norm, eps_from_zeta(self.zeta, medical.mean_norm(self.norm)))

    def settings(self) -> dict[str, Any]:
        """Return everything as plain data."""
        targeted = self.methods if self.targeted_methods is None else self.targeted_methods
        return asdict(self) | {
            "methods": [describe(method) for method in self.methods],
            "targeted_methods": [describe(method) for method in targeted],
        }


@dataclass(frozen=True)
class Job:
    """One attack to run."""

    name: str
    attack: Attack
    target: str | None


def jobs(plan: Plan, class_names: tuple[str, ...]) -> list[Job]:
    """List the attacks: each method non-targeted, then each targeted method for each target.

    Raises:
        InputError: If a target is not a class.
    """
    for target in plan.targets:
        if target not in class_names:
            raise InputError(
                f"the target {target!r} is none of the classes {', '.join(class_names)}."
            )
    targeted = plan.methods if plan.targeted_methods is None else plan.targeted_methods
    wanted: list[tuple[Attack, str | None]] = [(method, None) for method in plan.methods]
    wanted += [(method, target) for method in targeted for target in plan.targets]
    names: list[str] = []
    for attack, goal in wanted:
        name = describe(attack)["name"] + ("" if goal is None else f" to {goal}")
        names.append(name + (f" #{n + 1}" if (n := count_same(names, name)) else ""))
    return [Job(name, *job) for name, job in zip(names, wanted, strict=True)]


def count_same(names: list[str], name: str) -> int:
    """Count the earlier runs of the same name: the second is told apart as ``name #2``."""
    return sum(earlier.partition(" #")[0] == name for earlier in names)
