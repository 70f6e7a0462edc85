"""Means over seeds with intervals, and the paired test of an attack against its controls."""

import math
from dataclasses import dataclass
from statistics import fmean, stdev

from straylight.evaluation.metrics import Proportion

NAMED = (
    "Rates are means over seeds. Their 95 % interval spans Student's interval over the seeds (of two or "
    "more; cut to 0-100 %) and Wilson's over the images (the mean of the seeds' bounds): with a single "
    "seed it says nothing of other seeds. p: exact McNemar tests (one-sided) on the same images that the "
    "attack moves more of them than a random control of the same norm (random-sphere, random-sign), the "
    "largest p over all of these controls and all seeds (an intersection-union test: it is small only if "
    "the attack beats every control with every seed); corrected over the rows of the study by Holm's "
    "method."
)

MOST_EXACT = 20_000  # images that only one of two moves


@dataclass(frozen=True)
class Estimate:
    """A rate in [0, 1] with its 95 % interval, and what the interval is over."""

    rate: float
    low: float
    high: float
    n_seeds: int


def over_seeds(found: list[Proportion]) -> Estimate:
    """Average a rate over seeds.

    The interval spans two: Student's over the seeds, mean ± t(0.975, k - 1) s / sqrt(k), cut to
    [0, 1], where there are several; and the mean of the seeds' Wilson bounds. All seeds are scored on
    the same images, which more seeds do not make more of.

    Raises:
        ValueError: If there is none.
    """
    if not found:
        raise ValueError("no rate to average")
    low, high = (fmean(item.ci95[end] for item in found) for end in (0, 1))
    mean = fmean(item.rate for item in found)
    if len(found) > 1:
        from scipy.special import stdtrit

        k = len(found)
        half = float(stdtrit(k - 1, 0.975)) * stdev(item.rate for item in found) / math.sqrt(k)
        low, high = min(low, max(0.0, mean - half)), max(high, min(1.0, mean + half))
    return Estimate(mean, low, high, len(found))


def mcnemar(only_attack: int, only_control: int) -> float:
    """Return the one-sided p of McNemar's exact test (McNemar 1947, Psychometrika 12:153).

    Of the images that only one of both moves, half would be the attack's if both moved as many:
    P(X >= only_attack), X binomial(only_attack + only_control, 1/2). Whole numbers until the end, so
    that it is exact; of more than `MOST_EXACT` images, by the incomplete beta function.

    >>> mcnemar(5, 0), mcnemar(0, 0), mcnemar(1, 1)
    (0.03125, 1.0, 0.75)
    """
    n = only_attack + only_control
    if n > MOST_EXACT:
        from scipy.special import betainc

        return float(betainc(only_attack, only_control + 1, 0.5)) if only_attack else 1.0
    term, total = 1, 0  # of C(n, n), C(n, n - 1), ...
    for k in range(n, only_attack - 1, -1):
        total += term
        term = term * k // (n - k + 1)
    return float(total / 2**n)


def holm(values: list[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979, Scand. J. Statist. 6:65).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = largest
    return corrected
