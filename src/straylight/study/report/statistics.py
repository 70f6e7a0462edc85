"""Statistics of a study: means over seeds, and paired tests of attacks against controls."""

import math
from dataclasses import dataclass
from statistics import fmean, stdev

from straylight.attacks.catalogue import controls_of_kind
from straylight.evaluation.metrics import Proportion

METHODS_NOTE = (
    "Rates are means over seeds. Their 95 % interval spans Student's interval over the seeds (of two or "
    "more; cut to 0-100 %) and Wilson's over the images (the mean of the seeds' bounds): with a single "
    "seed it does not cover other seeds. p: exact McNemar tests (one-sided) on the same images that the "
    "attack moves more of them than a random control of the same norm "
    f"({', '.join(controls_of_kind('noise'))}), the largest p over all of these "
    "controls and all seeds (an intersection-union test: it is small only if the attack beats every "
    "control with every seed); corrected over the rows of the study by Holm's "
    "method."
)

MOST_EXACT = 20_000  # images that only one of the two moves


@dataclass(frozen=True)
class Estimate:
    """A rate in [0, 1] with its 95 % interval, and the number of seeds."""

    rate: float
    low: float
    high: float
    n_seeds: int


def average_over_seeds(rates: list[Proportion]) -> Estimate:
    """Average a rate over seeds.

    The interval spans two intervals: Student's over the seeds, mean ± t(0.975, k - 1) s / sqrt(k), cut
    to [0, 1], if there are several; and the mean of the Wilson bounds of the seeds. All seeds are scored
    on the same images, so more seeds do not narrow the second.

    Raises:
        ValueError: If there is no rate.
    """
    if not rates:
        raise ValueError("no rate to average")
    low, high = (fmean(item.ci95[end] for item in rates) for end in (0, 1))
    mean = fmean(item.rate for item in rates)
    if len(rates) > 1:
        from scipy.special import stdtrit

        k = len(rates)
        half = float(stdtrit(k - 1, 0.975)) * stdev(item.rate for item in rates) / math.sqrt(k)
        low, high = min(low, max(0.0, mean - half)), max(high, min(1.0, mean + half))
    return Estimate(mean, low, high, len(rates))


def mcnemar_p_value(only_attack: int, only_control: int) -> float:
    """Return the one-sided p-value of McNemar's exact test (McNemar 1947, Psychometrika 12:153).

    If attack and control were equally strong, each would move half of the images that only one of them
    moves: p = P(X >= only_attack), X binomial(only_attack + only_control, 1/2). Computed exactly in whole
    numbers; for more than `MOST_EXACT` images, with the incomplete beta function.

    >>> [mcnemar_p_value(*counts) for counts in ((5, 0), (0, 0), (1, 1))]
    [0.03125, 1.0, 0.75]
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


def holm_correction(values: list[float]) -> list[float]:
    """Correct p-values for multiple tests (Holm 1979, Scand. J. Statist. 6:65).

    >>> holm_correction([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = largest
    return corrected
