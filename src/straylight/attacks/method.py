"""An attack together with what it learns on."""

from dataclasses import dataclass
from typing import Literal

from straylight.attacks.protocol import Attack

Source = Literal["photographs", "adapted", "medical"]


@dataclass(frozen=True)
class Method:
    """An attack, and the images that it learns on.

    Attributes:
        attack: Makes the perturbation.
        source: ``photographs`` (as they are), ``adapted`` (by `Adaptation`, from the classifier
            alone), or ``medical`` (labelled an oracle: an upper bound, no attack of T1).
    """

    attack: Attack
    source: Source = "photographs"

    @property
    def threat_model(self) -> str:
        """The attack's own, or ``oracle`` if it learns on medical images."""
        return "oracle" if self.source == "medical" else self.attack.threat_model
