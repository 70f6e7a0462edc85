"""The settings of an audit."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast, get_args

from straylight.attacks.adaptation.adapt import Adaptation
from straylight.attacks.auto import Auto
from straylight.attacks.ball import Ball, check_eps, check_zeta, eps_from_zeta
from straylight.attacks.catalogue import Source, attacks_where, find_name
from straylight.attacks.custom import check_attack
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.attacks.protocol import Attack
from straylight.attacks.sequential import Sequential
from straylight.core.checks import LARGEST, check_integer, check_number, check_words, describe_value
from straylight.core.conventions import Norm
from straylight.core.errors import InputError, join_names, quote_text
from straylight.data.images import ImageSet

DEFAULT_METHODS: tuple[Method, ...] = (
    Method(Auto(), "adapted"),
    Method(Gradient()),
    Method(Sequential()),
)

MethodLike = Attack | Method | str
MOST_CONTROL_SEEDS, MOST_POINTS = 256, 64  # of a curve: each halves the photographs


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The settings of an audit, without its data.

    Attributes:
        norm: ``l2`` or ``linf``.
        zeta: Budget as a share of the mean norm of the cohort's images, as in the paper.
        eps: Budget on images in [0, 1], instead of `zeta`.
        methods: One or several attacks, each run non-targeted: an attack on its usual source, a `Method`,
            or text as on the command line, such as ``"gradient@adapted:steps=100"``.
        targets: Class names; each is also the target of a run of each of `targeted_methods`.
        targeted_methods: None: the same as `methods`.
        adaptation: How photographs are adapted to the classifier, for methods that learn on ``adapted``.
        control_seeds: Number of random controls of each kind.
        curve: Number of points on its way at which each attack is scored as well: when it has looked at
            all its photographs, at half of them, a quarter, and so on.
        seed: Of all attacks; the controls count up from it.

    Raises:
        InputError: If a setting cannot be used; the message names it.
    """

    norm: Norm = "l2"
    zeta: float | int | None = None
    eps: float | int | None = None
    methods: MethodLike | Sequence[MethodLike] = DEFAULT_METHODS
    targets: str | Sequence[str] = ()
    targeted_methods: MethodLike | Sequence[MethodLike] | None = None
    adaptation: Adaptation = field(default_factory=Adaptation)
    control_seeds: int = 3
    curve: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.norm not in get_args(Norm):
            raise InputError(
                f"norm must be one of {', '.join(get_args(Norm))}, not {describe_value(self.norm)}."
            )
        self._check_budget()
        self._set("methods", _parse_methods(self.methods, "methods"))
        if self.targeted_methods is not None:
            self._set("targeted_methods", _parse_methods(self.targeted_methods, "targeted_methods"))
        self._set("targets", tuple(dict.fromkeys(check_words(self.targets, "targets", "('MEL',)"))))
        if not isinstance(self.adaptation, Adaptation):
            raise InputError(
                f"adaptation must be an Adaptation, not {describe_value(self.adaptation)}."
            )
        for name, least in (("control_seeds", 1), ("curve", 0), ("seed", -LARGEST)):
            self._set(name, check_integer(getattr(self, name), name, least))
        for name, most in (("control_seeds", MOST_CONTROL_SEEDS), ("curve", MOST_POINTS)):
            if getattr(self, name) > most:
                raise InputError(f"{name} must be at most {most}, not {getattr(self, name)}.")
        if self.targets and not self.targeted:
            raise InputError(
                f"none of the methods {join_names(m.run_name for m in self.untargeted)} takes a target: "
                f"give one of {_join_attacks_with_target()}, or no target."
            )
        for method in self.targeted:
            if not method.attack.takes_target:
                raise InputError(
                    f"{method.run_name} takes no target: use one of {_join_attacks_with_target()}."
                )

    def _set(self, name: str, value: object) -> None:
        """Set a field to its normalised value."""
        object.__setattr__(self, name, value)

    def _check_budget(self) -> None:
        """Raise unless exactly one budget is given."""
        if self.zeta is None and self.eps is None:
            raise InputError(
                "no budget is given: give either zeta or eps, such as zeta=0.02 (--zeta 0.02), which is "
                "2 % of the medical images' mean norm."
            )
        if self.zeta is not None and self.eps is not None:
            raise InputError("give either zeta or eps as the budget, and not both.")
        if self.zeta is not None:
            self._set("zeta", check_number(self.zeta, "zeta", "0.02"))
            check_zeta(self.zeta)
        if self.eps is not None:
            self._set("eps", check_number(self.eps, "eps", "8/255"))
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
                f"all images of {quote_text(medical.spec)} are black, so zeta has no meaning: give eps "
                "(--eps), or other images."
            )
        return Ball(self.norm, eps_from_zeta(self.zeta, medical.mean_norm(self.norm)))

    def settings(self) -> dict[str, Any]:
        """Return all settings as JSON."""
        return vars(self) | {
            "methods": [_method_settings(method) for method in self.untargeted],
            "targeted_methods": [_method_settings(method) for method in self.targeted],
            "adaptation": asdict(self.adaptation),
        }

    @property
    def untargeted(self) -> tuple[Method, ...]:
        """The methods of the non-targeted runs."""
        return cast(tuple[Method, ...], self.methods)

    @property
    def targeted(self) -> tuple[Method, ...]:
        """The methods of the targeted runs: by default those of `methods` that take a target."""
        if self.targeted_methods is not None:
            return cast(tuple[Method, ...], self.targeted_methods)
        return tuple(m for m in self.untargeted if m.attack.takes_target)


def _parse_methods(given: object, name: str) -> tuple[Method, ...]:
    """Parse one or several methods, and check each.

    Raises:
        InputError: If there is none, or one is not an attack; the message names the parameter.
    """
    items = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not items:
        raise InputError(f"{name} is empty: give at least one method.")
    return tuple(_parse_method(item, name) for item in items)


def _parse_method(given: Any, name: str) -> Method:  # noqa: ANN401
    """Parse a method, and check that it can be run."""
    found = Method.parse(given) if isinstance(given, str) else given
    attack: Any = found.attack if isinstance(found, Method) else found
    if attack is None or isinstance(attack, str | bytes | int | float | Method | dict | set):
        raise InputError(
            f"{name} must be attacks, such as Gradient(steps=100) or 'gradient:steps=100', not "
            f"{describe_value(attack)}."
        )
    if find_name(attack) is None:
        check_attack(attack)
    method = Method.of(found)
    if method.source not in get_args(Source):
        known = ", ".join(get_args(Source))
        raise InputError(
            f"an attack learns on one of {known}, not {describe_value(method.source)}."
        )
    return method


def _join_attacks_with_target() -> str:
    """Return the names of the attacks that take a target."""
    return join_names(attacks_where(lambda attack: attack.takes_target))


def _method_settings(method: Method) -> dict[str, Any]:
    """Return a method as JSON."""
    return method.to_json() | {"source": method.source}
