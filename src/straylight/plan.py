"""What to audit: the settings, and the attacks they call for."""

from dataclasses import asdict, dataclass, field
from typing import Any

from straylight.attacks import (
    Attack,
    Auto,
    Gradient,
    Method,
    Sequential,
    catalogue_name,
    describe,
    with_source,
)
from straylight.ball import Ball, Norm, eps_from_zeta
from straylight.errors import InputError
from straylight.images import ImageSet
from straylight.surrogates import Adaptation

DEFAULT_METHODS: tuple[Method, ...] = (
    Method(Auto(), "adapted"),
    Method(Gradient()),
    Method(Sequential()),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to audit, without the data.

    Attributes:
        norm: ``l2`` or ``linf``.
        zeta: Budget as a share of the mean norm of the cohort's images, as in the paper.
        eps: Budget on images in [0, 1], instead of `zeta`.
        methods: The attacks, each run non-targeted on its usual source, or as a `Method` says.
        targets: Class names; each is also the target of a run of each of `targeted_methods`.
        targeted_methods: None: the same as `methods`.
        adaptation: How photographs are adapted to the classifier, for the methods that ask for it.
        control_seeds: How many random controls of each kind.
        curve: At how many points on its way each attack is scored as well: when it has looked at all
            its photographs, at half of them, a quarter, and so on.
        seed: Of all attacks; the controls count up from it.
    """

    norm: Norm = "l2"
    zeta: float | None = None
    eps: float | None = None
    methods: tuple[Attack | Method, ...] = DEFAULT_METHODS
    targets: tuple[str, ...] = ()
    targeted_methods: tuple[Attack | Method, ...] | None = None
    adaptation: Adaptation = field(default_factory=Adaptation)
    control_seeds: int = 3
    curve: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.zeta is None) == (self.eps is None):
            raise InputError("give either zeta or eps as the budget, and not both.")
        if not self.methods:
            raise InputError("give at least one method.")
        if self.targets and not self.targeted:
            raise InputError(
                f"none of the methods {', '.join(map(name_of, self.untargeted))} takes a target: "
                "give one of gradient and sequential, or no target."
            )
        for method in self.targeted:
            if not method.attack.takes_target:
                raise InputError(f"{name_of(method)} takes no target: use gradient or sequential.")
        if self.control_seeds < 1:
            raise InputError(f"control_seeds must be at least 1, not {self.control_seeds}.")
        if self.curve < 0:
            raise InputError(f"curve must be a number of points, not {self.curve}.")

    def ball(self, medical: ImageSet) -> Ball:
        """Return the budget in pixel units; `zeta` is a share of the mean norm of `medical`."""
        if self.zeta is None:
            return Ball(self.norm, float(self.eps or 0))
        return Ball(self.norm, eps_from_zeta(self.zeta, medical.mean_norm(self.norm)))

    def settings(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self) | {
            "methods": [plain(method) for method in self.untargeted],
            "targeted_methods": [plain(method) for method in self.targeted],
        }

    @property
    def untargeted(self) -> tuple[Method, ...]:
        """The methods of the non-targeted runs."""
        return tuple(map(as_method, self.methods))

    @property
    def targeted(self) -> tuple[Method, ...]:
        """The methods of the targeted runs: by default those of `methods` that take a target."""
        if self.targeted_methods is not None:
            return tuple(map(as_method, self.targeted_methods))
        return tuple(m for m in self.untargeted if m.attack.takes_target)


def as_method(method: Attack | Method) -> Method:
    """Run an attack on its usual source unless a `Method` says otherwise."""
    return method if isinstance(method, Method) else with_source(method)


def plain(method: Method) -> dict[str, Any]:
    """Return a method as plain data."""
    return describe(method.attack) | {"source": method.source}


@dataclass(frozen=True)
class Job:
    """One attack to run."""

    name: str
    method: Method
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
    wanted: list[tuple[Method, str | None]] = [(method, None) for method in plan.untargeted]
    wanted += [(method, target) for method in plan.targeted for target in plan.targets]
    names: list[str] = []
    for method, goal in wanted:
        name = name_of(method) + ("" if goal is None else f" to {goal}")
        names.append(name + (f" #{n + 1}" if (n := count_same(names, name)) else ""))
    return [Job(name, *job) for name, job in zip(names, wanted, strict=True)]


def name_of(method: Method) -> str:
    """Write a method as ``NAME`` or, where it learns on something unusual, ``NAME@SOURCE``."""
    name = catalogue_name(method.attack)
    return name if method == with_source(method.attack) else f"{name}@{method.source}"


def count_same(names: list[str], name: str) -> int:
    """Count the earlier runs of the same name: the second is told apart as ``name #2``."""
    return sum(earlier.partition(" #")[0] == name for earlier in names)
