"""DICOM windows, which map values to shares of white (PS3.3 C.11.2.1.2)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LINEAR, EXACT, SIGMOID = "LINEAR", "LINEAR_EXACT", "SIGMOID"
FUNCTIONS = (LINEAR, EXACT, SIGMOID)


@dataclass(frozen=True)
class Window:
    """A display window.

    Attributes:
        centre, width: In units of the rescaled values.
        function: One of `FUNCTIONS`.
    """

    centre: float
    width: float
    function: str = LINEAR

    @property
    def is_valid(self) -> bool:
        """Return whether the standard allows the window."""
        if not (math.isfinite(self.centre) and math.isfinite(self.width)):
            return False
        return self.width >= 1 if self.function == LINEAR else self.width > 0

    @property
    def limits(self) -> tuple[float, float]:
        """The values at which black ends and white begins (for a sigmoid, those of its tangent)."""
        if self.function == LINEAR:
            half = (self.width - 1) / 2
            return self.centre - 0.5 - half, self.centre - 0.5 + half
        return self.centre - self.width / 2, self.centre + self.width / 2

    def share(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the shares of white of rescaled values, in [0, 1]."""
        if self.function == SIGMOID:
            return 1 / (1 + np.exp(-4 * (values - self.centre) / self.width))
        darkest, lightest = self.limits
        if lightest == darkest:
            return (values > darkest).astype(np.float64)
        shares: NDArray[np.float64] = ((values - darkest) / (lightest - darkest)).clip(0, 1)
        return shares
