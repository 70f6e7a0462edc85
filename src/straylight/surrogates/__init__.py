"""What an attack learns on: photographs as they are, or adapted to the classifier."""

from straylight.surrogates.adaptation import Adaptation, Adapted

__all__ = ["Adaptation", "Adapted"]
