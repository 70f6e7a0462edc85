"""What to audit: the settings, and the attacks they call for."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast, get_args

from straylight.attacks.adaptation.adapt import Adaptation
from straylight.attacks.auto import Auto
from straylight.attacks.ball import Ball, check_eps, check_zeta, eps_from_zeta
from straylight.attacks.custom import check_attack
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method, Source
from straylight.attacks.methods import (
    catalogue_name,
    changed_settings,
    describe,
    in_catalogue,
    parse_method,
    with_source,
)
from straylight.attacks.protocol import Attack
from straylight.attacks.sequential import Sequential
from straylight.core.checks import LARGEST, real, said, whole, words
from straylight.core.errors import InputError, listed, quoted
from straylight.core.norms import Norm
from straylight.data.images import ImageSet

DEFAULT_METHODS: tuple[Method, ...] = (
    Method(Auto(), "adapted"),
    Method(Gradient()),
    Method(Sequential()),
)

Given = Attack | Method | str
LONGEST_NAME = 80
MOST_CONTROL_SEEDS, MOST_POINTS = 256, 64  # of a curve: each halves the photographs


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to audit, without the data.

    Attributes:
        norm: ``l2`` or ``linf``.
        zeta: Budget as a share of the mean norm of the cohort's images, as in the paper.
        eps: Budget on images in [0, 1], instead of `zeta`.
        methods: The attacks, each run non-targeted: an attack on its usual source, a `Method`, or its
            name as on the command line, such as ``"gradient@adapted:steps=100"``. One or several.
        targets: Class names; each is also the target of a run of each of `targeted_methods`.
        targeted_methods: None: the same as `methods`.
        adaptation: How photographs are adapted to the classifier, for the methods that ask for it.
        control_seeds: How many random controls of each kind.
        curve: At how many points on its way each attack is scored as well: when it has looked at all
            its photographs, at half of them, a quarter, and so on.
        seed: Of all attacks; the controls count up from it.

    Raises:
        InputError: If one of them cannot be used; the message names it.
    """

    norm: Norm = "l2"
    zeta: float | int | None = None
    eps: float | int | None = None
    methods: Given | Sequence[Given] = DEFAULT_METHODS
    targets: str | Sequence[str] = ()
    targeted_methods: Given | Sequence[Given] | None = None
    adaptation: Adaptation = field(default_factory=Adaptation)
    control_seeds: int = 3
    curve: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.norm not in get_args(Norm):
            raise InputError(
                f"norm must be one of {', '.join(get_args(Norm))}, not {said(self.norm)}."
            )
        self._check_budget()
        self._set("methods", several(self.methods, "methods"))
        if self.targeted_methods is not None:
            self._set("targeted_methods", several(self.targeted_methods, "targeted_methods"))
        self._set("targets", tuple(dict.fromkeys(words(self.targets, "targets", "('MEL',)"))))
        if not isinstance(self.adaptation, Adaptation):
            raise InputError(f"adaptation must be an Adaptation, not {said(self.adaptation)}.")
        for name, least in (("control_seeds", 1), ("curve", 0), ("seed", -LARGEST)):
            self._set(name, whole(getattr(self, name), name, least))
        for name, most in (("control_seeds", MOST_CONTROL_SEEDS), ("curve", MOST_POINTS)):
            if getattr(self, name) > most:
                raise InputError(f"{name} must be at most {most}, not {getattr(self, name)}.")
        if self.targets and not self.targeted:
            raise InputError(
                f"none of the methods {listed(map(name_of, self.untargeted))} takes a target: "
                "give one of gradient and sequential, or no target."
            )
        for method in self.targeted:
            if not method.attack.takes_target:
                raise InputError(f"{name_of(method)} takes no target: use gradient or sequential.")

    def _set(self, name: str, value: object) -> None:
        """Put a value into its usual form."""
        object.__setattr__(self, name, value)

    def _check_budget(self) -> None:
        """Check that there is one budget."""
        if self.zeta is None and self.eps is None:
            raise InputError(
                "no budget is given: give either zeta or eps, such as zeta=0.02 (--zeta 0.02), which is "
                "2 % of the medical images' mean norm."
            )
        if self.zeta is not None and self.eps is not None:
            raise InputError("give either zeta or eps as the budget, and not both.")
        if self.zeta is not None:
            self._set("zeta", real(self.zeta, "zeta", "0.02"))
            check_zeta(self.zeta)
        if self.eps is not None:
            self._set("eps", real(self.eps, "eps", "8/255"))
            check_eps(self.eps, self.norm)

    def ball(self, medical: ImageSet) -> Ball:
        """Return the budget in pixel units; `zeta` is a share of the mean norm of `medical`.

        Raises:
            InputError: If it is larger than any difference of two images, or all images are black.
        """
        if self.zeta is None:
            eps, most = float(self.eps or 0), math.sqrt(math.prod(medical.shape))
            if self.norm == "l2" and eps > most:
                raise InputError(
                    f"eps must be at most {most:.4g} for l2 on images of shape {medical.shape}, the "
                    f"distance of black and white, not {eps:g}: zeta=0.02 (--zeta 0.02) is 2 % of the "
                    "images' mean norm."
                )
            return Ball(self.norm, eps)
        if medical.mean_norm(self.norm) == 0:
            raise InputError(
                f"all images of {quoted(medical.spec)} are black, so that zeta means nothing: give eps "
                "(--eps), or other images."
            )
        return Ball(self.norm, eps_from_zeta(self.zeta, medical.mean_norm(self.norm)))

    def settings(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return vars(self) | {
            "methods": [plain(method) for method in self.untargeted],
            "targeted_methods": [plain(method) for method in self.targeted],
            "adaptation": asdict(self.adaptation),
        }

    @property
    def untargeted(self) -> tuple[Method, ...]:
        """The methods of the non-targeted runs."""
        return tuple(map(as_method, several(self.methods, "methods")))

    @property
    def targeted(self) -> tuple[Method, ...]:
        """The methods of the targeted runs: by default those of `methods` that take a target."""
        if self.targeted_methods is not None:
            return tuple(map(as_method, several(self.targeted_methods, "targeted_methods")))
        return tuple(m for m in self.untargeted if m.attack.takes_target)


def several(given: object, name: str) -> tuple[Attack | Method, ...]:
    """Return one or several methods as attacks and `Method`s, each checked.

    Raises:
        InputError: If there is none, or one is no attack; the message names the parameter.
    """
    items = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not items:
        raise InputError(f"{name} is empty: give at least one method.")
    return tuple(_checked(item, name) for item in items)


def _checked(given: object, name: str) -> Attack | Method:
    """Return a method that can be run."""
    found: Any = parse_method(given) if isinstance(given, str) else given
    attack = found.attack if isinstance(found, Method) else found
    if isinstance(found, Method) and found.source not in get_args(Source):
        known = ", ".join(get_args(Source))
        raise InputError(f"an attack learns on one of {known}, not {said(found.source)}.")
    if attack is None or isinstance(attack, str | bytes | int | float | Method | dict | set):
        raise InputError(
            f"{name} must be attacks, such as Gradient(steps=100) or 'gradient:steps=100', not "
            f"{said(attack)}."
        )
    if not in_catalogue(attack):
        check_attack(attack)
    return cast(Attack | Method, found)


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
                f"the target '{quoted(target)}' is none of the classes {listed(class_names)}."
            )
    wanted: list[tuple[Method, str | None]] = [(method, None) for method in plan.untargeted]
    wanted += [(method, target) for method in plan.targeted for target in plan.targets]
    names: list[str] = []
    alike = Counter((name_of(method), goal) for method, goal in wanted)
    for method, goal in wanted:
        name = name_of(method)
        name = full_name(method) if alike[name, goal] > 1 else name
        name += "" if goal is None else f" to {goal}"
        names.append(name + (f" #{n + 1}" if (n := count_same(names, name)) else ""))
    return [Job(name, *job) for name, job in zip(names, wanted, strict=True)]


def name_of(method: Method) -> str:
    """Write a method as ``NAME`` or, where it learns on something unusual, ``NAME@SOURCE``."""
    name = catalogue_name(method.attack)
    return name if method == with_source(method.attack) else f"{name}@{method.source}"


def full_name(method: Method) -> str:
    """Write a method with the settings that are not the usual ones, as it is given.

    >>> full_name(Method(Gradient(steps=10)))
    'gradient:steps=10'
    """
    settings = ",".join(
        f"{key}={quoted(value, 40)}" for key, value in changed_settings(method.attack).items()
    )
    return quoted(name_of(method) + ":" * bool(settings) + settings, LONGEST_NAME)


def count_same(names: list[str], name: str) -> int:
    """Count the earlier runs of the same name: the second is told apart as ``name #2``."""
    return sum(earlier.partition(" #")[0] == name for earlier in names)
