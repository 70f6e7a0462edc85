"""Counts of an evaluation, and the rates derived from them: the only place that divides counts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Matrix = tuple[tuple[int, ...], ...]
_Z95 = 1.959963984540054  # 97.5th percentile of the standard normal distribution


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion at 95 % (Wilson 1927, JASA 22:209).

    The interval of an empty sample is (0, 1).

    >>> [round(bound, 4) for bound in wilson_interval(5, 10)]
    [0.2366, 0.7634]
    """
    if n == 0:
        return 0.0, 1.0
    rate = hits / n
    centre = (rate + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 / (1 + _Z95**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z95**2 / (4 * n**2))
    # At 0 and n hits one bound is the rate itself, exactly; rounding would miss it.
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == n else centre + half
    return low, high


@dataclass(frozen=True)
class Proportion:
    """A number of hits among a number of images."""

    hits: int
    n: int

    @property
    def rate(self) -> float:
        """Share in [0, 1]; 0 of an empty sample."""
        return self.hits / self.n if self.n else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        """Wilson 95 % interval."""
        return wilson_interval(self.hits, self.n)


def mean_with_interval(parts: Sequence[Proportion]) -> tuple[float, float, float]:
    """Return the mean of independent proportions and its 95 % interval, from their Wilson intervals.

    The distances of the bounds add as squares: MOVER (Zou & Donner 2008, Stat Med 27:1693).

    >>> mean_with_interval([Proportion(5, 10)]) == (0.5, *wilson_interval(5, 10))
    True
    """
    rates, bounds = [part.rate for part in parts], [part.ci95 for part in parts]
    pairs = list(zip(rates, bounds, strict=True))
    mean = sum(rates) / len(parts)
    below = math.hypot(*(rate - low for rate, (low, _) in pairs)) / len(parts)
    above = math.hypot(*(high - rate for rate, (_, high) in pairs)) / len(parts)
    return mean, mean - below, mean + above


def format_percent(rate: float, digits: int = 1) -> str:
    """Format a rate in percent; 0 and 100 are printed only where they are exact.

    >>> [format_percent(rate) for rate in (0.5, 0.0, 0.0001, 0.99999, 1.0)]
    ['50.0', '0', '<0.1', '>99.9', '100']
    """
    least = 10.0**-digits
    value = 100 * rate
    if rate in (0.0, 1.0):
        return f"{value:.0f}"
    if value < least:
        return f"<{least:.{digits}f}"
    if value > 100 - least:
        return f">{100 - least:.{digits}f}"
    return f"{value:.{digits}f}"


@dataclass(frozen=True)
class Score:
    """Counts of what one perturbation did to a cohort.

    Attributes:
        confusion: Rows: true class; columns: prediction under the perturbation.
        transitions: Rows: clean prediction; columns: prediction under the perturbation.
        n_fooled_raw: Images whose prediction changes when they are neither clipped nor rounded.
    """

    confusion: Matrix
    transitions: Matrix
    n_fooled_raw: int

    @cached_property
    def _transitions(self) -> NDArray[np.int64]:
        return np.array(self.transitions, dtype=np.int64)

    @property
    def n(self) -> int:
        return int(self._transitions.sum())

    @property
    def fooled(self) -> Proportion:
        """Images whose prediction changes."""
        return Proportion(self.n - int(self._transitions.trace()), self.n)

    @property
    def fooled_raw(self) -> Proportion:
        """The same without clipping and rounding, as the paper scores."""
        return Proportion(self.n_fooled_raw, self.n)

    @property
    def correct(self) -> Proportion:
        """Images whose prediction is the true class."""
        return Proportion(sum(row[i] for i, row in enumerate(self.confusion)), self.n)

    @property
    def recalls(self) -> list[Proportion]:
        """For each true class: those predicted as it."""
        return [Proportion(row[i], sum(row)) for i, row in enumerate(self.confusion)]

    @property
    def constant(self) -> Proportion:
        """Images of the most frequent true class: correct if that class were always predicted."""
        return Proportion(max(map(sum, self.confusion)), self.n)

    @property
    def dominant_class(self) -> int:
        """The most frequent prediction under the perturbation (the first of equals)."""
        return int(self._transitions.sum(0).argmax())

    @property
    def dominant(self) -> Proportion:
        """Images predicted as the dominant class."""
        return Proportion(int(self._transitions.sum(0).max()), self.n)

    @property
    def ceiling(self) -> Proportion:
        """Images not predicted as the dominant class without attack: fooled if all were moved to it."""
        return Proportion(self.n - int(self._transitions[self.dominant_class].sum()), self.n)

    def hit(self, target: int) -> Proportion:
        """Images predicted as `target` (the paper's targeted success: counts those already there)."""
        return Proportion(int(self._transitions[:, target].sum()), self.n)

    def hit_from_elsewhere(self, target: int) -> Proportion:
        """Of the images not predicted as `target` without attack, those that are under it."""
        elsewhere = self.n - int(self._transitions[target].sum())
        hits = int(self._transitions[:, target].sum()) - int(self._transitions[target, target])
        return Proportion(hits, elsewhere)


def to_matrix(rows: list[list[int]]) -> Matrix:
    """Return a table of counts as tuples."""
    return tuple(tuple(row) for row in rows)
