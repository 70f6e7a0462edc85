"""The attacks and controls that come with Straylight, with their papers.

Reading this table does not import torch: an entry names its class and imports it on first use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

Source = Literal["photographs", "adapted", "medical"]
ControlKind = Literal["noise", "pattern", "spectrum"]


@dataclass(frozen=True)
class CatalogueEntry:
    """One line of the catalogue.

    Attributes:
        path: The class, as ``MODULE:CLASS``.
        summary: What it does, in one line.
        paper: Its source, and the address of that.
    """

    path: str
    summary: str
    paper: str
    url: str

    @property
    def make(self) -> type[Any]:
        """The class; called without settings it makes the usual attack or control."""
        module, _, name = self.path.partition(":")
        found: type[Any] = getattr(import_module(module), name)
        return found

    @property
    def threat_model(self) -> str:
        """The threat model of the class: ``T0``, ``T1`` or ``T2``."""
        return str(self.make.threat_model)


@dataclass(frozen=True)
class AttackEntry(CatalogueEntry):
    """An attack of the catalogue.

    Attributes:
        source: What it learns on by default.
        effort: The settings that decide how long it runs, with their defaults. The report compares
            a run with them.
    """

    source: Source = "photographs"
    effort: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ControlEntry(CatalogueEntry):
    """A control of the catalogue.

    Attributes:
        kind: ``noise`` is what the verdict and the p-values compare with. ``pattern`` (procedural) and
            ``spectrum`` (a copy of each attack's spectrum) are shown beside it and decide nothing.
    """

    kind: ControlKind


ATTACKS: dict[str, AttackEntry] = {
    "auto": AttackEntry(
        "straylight.attacks.auto:Auto",
        "a gradient run to each class and to none, the best chosen on photographs held out",
        "Hirano & Takemoto 2020 (targeted perturbations)",
        "https://arxiv.org/abs/1911.06502",
        source="adapted",
        effort={"image_passes": 40_000},
    ),
    "gradient": AttackEntry(
        "straylight.attacks.gradient:Gradient",
        "mini-batch stochastic gradient on the margin, cross-entropy or cosine loss",
        "Shafahi et al. 2020; Zhang et al. 2020",
        "https://arxiv.org/abs/2007.06189",
        effort={"steps": 300, "batch_size": 32},
    ),
    "sequential": AttackEntry(
        "straylight.attacks.sequential:Sequential",
        "the paper's algorithm: one photograph and one sign step at a time",
        "Minagi, Hirano & Takemoto 2022",
        "https://doi.org/10.3390/jimaging8020038",
        effort={"epochs": 1},
    ),
    "sga": AttackEntry(
        "straylight.attacks.sga:Sga",
        "collects gradients over several trial steps, then makes one step along their sum",
        "Liu et al. 2023",
        "https://arxiv.org/abs/2308.06015",
        effort={"epochs": 20},
    ),
    "lift": AttackEntry(
        "straylight.attacks.lift:Lift",
        "increases the activations of the first layers of the public backbone; the target model is never "
        "queried",
        "Ban & Dong 2022",
        "https://arxiv.org/abs/2210.03372",
        effort={"steps": 300, "batch_size": 32},
    ),
    "disrupt": AttackEntry(
        "straylight.attacks.disrupt:Disrupt",
        "rotates the features of the public backbone; the target model is never queried",
        "Zhang et al. 2021 (the cosine, there on logits)",
        "https://arxiv.org/abs/2103.11402",
        effort={"steps": 300, "batch_size": 32},
    ),
}
CONTROLS: dict[str, ControlEntry] = {
    "random-sphere": ControlEntry(
        "straylight.attacks.controls:RandomSphere",
        "uniform on the L2 sphere or in the L-infinity cube, as in the paper",
        "Minagi, Hirano & Takemoto 2022",
        "https://doi.org/10.3390/jimaging8020038",
        kind="noise",
    ),
    "random-sign": ControlEntry(
        "straylight.attacks.controls:RandomSign",
        "plus or minus the same value in every entry",
        "Moosavi-Dezfooli et al. 2017",
        "https://arxiv.org/abs/1610.08401",
        kind="noise",
    ),
    "perlin": ControlEntry(
        "straylight.attacks.controls:Perlin",
        "procedural marble: a sine of Perlin noise",
        "Co et al. 2019",
        "https://arxiv.org/abs/1810.00470",
        kind="pattern",
    ),
    "gabor": ControlEntry(
        "straylight.attacks.controls:Gabor",
        "procedural stripes: Gabor kernels scattered at random",
        "Co et al. 2019",
        "https://arxiv.org/abs/1810.00470",
        kind="pattern",
    ),
    "phase-randomised": ControlEntry(
        "straylight.attacks.controls:PhaseRandomised",
        "the attack's own spectrum with random phases",
        "Theiler et al. 1992 (surrogate data)",
        "https://doi.org/10.1016/0167-2789(92)90102-S",
        kind="spectrum",
    ),
}


def find_name(item: object) -> str | None:
    """Return the catalogue's name for an attack or control; None for a user's own class."""
    path = f"{type(item).__module__}:{type(item).__qualname__}"
    entries = (*ATTACKS.items(), *CONTROLS.items())
    return next((name for name, entry in entries if entry.path == path), None)


def attacks_where(condition: Callable[[Any], bool]) -> list[str]:
    """Return the names of the attacks that meet a condition with their usual settings."""
    return [name for name, entry in ATTACKS.items() if condition(entry.make())]


def control_kind(name: str) -> ControlKind | None:
    """Return the kind of a control; None if it is not in the catalogue, so it counts as nothing.

    >>> control_kind("perlin"), control_kind("a control of a later version")
    ('pattern', None)
    """
    entry = CONTROLS.get(name)
    return None if entry is None else entry.kind


def controls_of_kind(*kinds: ControlKind) -> list[str]:
    """Return the names of the controls of some kinds.

    >>> controls_of_kind("noise", "pattern")
    ['random-sphere', 'random-sign', 'perlin', 'gabor']
    """
    return [name for name, entry in CONTROLS.items() if entry.kind in kinds]
