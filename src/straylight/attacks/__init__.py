"""The catalogue of attacks and controls."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, get_args

from straylight.attacks.auto import Auto
from straylight.attacks.control import (
    Control,
    Gabor,
    Perlin,
    PhaseRandomised,
    RandomSign,
    RandomSphere,
)
from straylight.attacks.disrupt import Disrupt
from straylight.attacks.gradient import Gradient
from straylight.attacks.lift import Lift
from straylight.attacks.method import Method, Source
from straylight.attacks.protocol import Attack, Snapshot, ThreatModel
from straylight.attacks.sequential import Sequential
from straylight.attacks.sga import Sga
from straylight.errors import InputError
from straylight.files import read_delta
from straylight.settings import parse_settings

__all__ = [
    "ATTACKS",
    "CONTROLS",
    "Attack",
    "Auto",
    "Control",
    "Disrupt",
    "Entry",
    "Gabor",
    "Gradient",
    "Lift",
    "Method",
    "Perlin",
    "PhaseRandomised",
    "RandomSign",
    "RandomSphere",
    "Sequential",
    "Sga",
    "Snapshot",
    "Source",
    "ThreatModel",
    "catalogue_name",
    "describe",
    "parse_method",
    "with_source",
]


T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Entry(Generic[T_co]):
    """One line of the catalogue.

    Attributes:
        source: What an attack learns on unless it is told.
    """

    make: type[T_co]
    summary: str
    paper: str
    url: str
    source: Source = "photographs"

    @property
    def threat_model(self) -> ThreatModel:
        """What the attacker has."""
        found: ThreatModel = self.make.threat_model  # type: ignore[attr-defined]
        return found


ATTACKS: dict[str, Entry[Attack]] = {
    "auto": Entry(
        Auto,
        "a gradient run to each class and to none, the best chosen on photographs held out",
        "Hirano & Takemoto 2020 (targeted perturbations)",
        "https://arxiv.org/abs/1911.06502",
        source="adapted",
    ),
    "gradient": Entry(
        Gradient,
        "mini-batch stochastic gradient on the margin, cross-entropy or cosine loss",
        "Shafahi et al. 2020; Zhang et al. 2020",
        "https://arxiv.org/abs/2007.06189",
    ),
    "sequential": Entry(
        Sequential,
        "the paper's algorithm: one photograph and one sign step at a time",
        "Minagi, Hirano & Takemoto 2022",
        "https://doi.org/10.3390/jimaging8020038",
    ),
    "sga": Entry(
        Sga,
        "steps along the sum of the gradients met on a look ahead",
        "Liu et al. 2023",
        "https://arxiv.org/abs/2308.06015",
    ),
    "lift": Entry(
        Lift,
        "raises the first activations of the public backbone; the victim is never asked",
        "Ban & Dong 2022",
        "https://arxiv.org/abs/2210.03372",
    ),
    "disrupt": Entry(
        Disrupt,
        "turns the features of the public backbone; the victim is never asked",
        "Zhang et al. 2021 (the cosine, there on logits)",
        "https://arxiv.org/abs/2103.11402",
    ),
}
CONTROLS: dict[str, Entry[Control]] = {
    "random-sphere": Entry(
        RandomSphere,
        "uniform on the L2 sphere or in the L-infinity cube, as in the paper",
        "Minagi, Hirano & Takemoto 2022",
        "https://doi.org/10.3390/jimaging8020038",
    ),
    "random-sign": Entry(
        RandomSign,
        "plus or minus the same value in every entry",
        "Moosavi-Dezfooli et al. 2017",
        "https://arxiv.org/abs/1610.08401",
    ),
    "perlin": Entry(
        Perlin,
        "procedural marble: a sine of Perlin noise",
        "Co et al. 2019",
        "https://arxiv.org/abs/1810.00470",
    ),
    "gabor": Entry(
        Gabor,
        "procedural stripes: Gabor kernels scattered at random",
        "Co et al. 2019",
        "https://arxiv.org/abs/1810.00470",
    ),
    "phase-randomised": Entry(
        PhaseRandomised,
        "the attack's own spectrum with random phases",
        "Theiler et al. 1992 (surrogate data)",
        "https://doi.org/10.1016/0167-2789(92)90102-S",
    ),
}


def catalogue_name(method: Attack | Control) -> str:
    """Return a method's name in the catalogue."""
    names = {entry.make: name for name, entry in [*ATTACKS.items(), *CONTROLS.items()]}
    return names[type(method)]


def describe(method: Attack | Control) -> dict[str, Any]:
    """Return a method's name in the catalogue and its settings, with the digest of what it starts from.

    Raises:
        InputError: If it starts from a file that is not there.
    """
    settings = {"name": catalogue_name(method), **asdict(method)}  # type: ignore[call-overload]
    if settings.get("start"):
        start = read_delta(Path(settings["start"]))
        settings["start_sha256"] = hashlib.sha256(start.numpy().tobytes()).hexdigest()
    return settings


def parse_method(text: str) -> Method:
    """Make a method from ``NAME[@SOURCE][:SETTING=VALUE,SETTING=VALUE]``.

    Raises:
        InputError: If there is no such attack, source or setting, or the value is not a number.

    Example:
        >>> parse_method("sequential@adapted:passes=2")
        Method(attack=Sequential(step_size=0.00025, passes=2), source='adapted')
    """
    head, _, settings = text.partition(":")
    name, at, source = head.partition("@")
    if name not in ATTACKS:
        raise InputError(f"there is no attack {name!r}: the catalogue has {', '.join(ATTACKS)}.")
    if at and source not in get_args(Source):
        known = ", ".join(get_args(Source))
        raise InputError(f"an attack learns on one of {known}, not {source!r}.")
    attack = parse_settings(ATTACKS[name].make, name, settings)
    return Method(attack, cast(Source, source)) if at else with_source(attack)


def with_source(attack: Attack) -> Method:
    """Let an attack learn on what its catalogue entry says."""
    return Method(attack, ATTACKS[catalogue_name(attack)].source)
