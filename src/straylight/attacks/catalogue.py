"""The attacks and controls that come with Straylight, with their papers."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from straylight.attacks.auto import Auto
from straylight.attacks.controls import (
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
from straylight.attacks.method import Source
from straylight.attacks.protocol import Attack, ThreatModel
from straylight.attacks.sequential import Sequential
from straylight.attacks.sga import Sga

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
