"""Statistics of a study, against scipy and by hand."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from straylight.evaluation.metrics import Proportion, wilson_interval
from straylight.study.report.statistics import average_over_seeds, holm_correction, mcnemar_p_value


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial_test(only_attack: int, only_control: int) -> None:
    n = only_attack + only_control
    expected = (
        scipy.stats.binomtest(only_attack, n, 0.5, alternative="greater").pvalue if n else 1.0
    )
    assert mcnemar_p_value(only_attack, only_control) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_the_step_down_bonferroni(values: list[float]) -> None:
    """By its definition: the largest, over all p-values up to it, of p times those not below."""
    expected = [
        min(1.0, max(p * (len(values) - sum(q < p for q in values)) for p in values if p <= own))
        for own in values
    ]
    assert holm_correction(values) == pytest.approx(expected)


def test_an_interval_spans_seeds_and_images() -> None:
    apart = [Proportion(hits, 1000) for hits in (700, 800, 840)]
    rates = np.array([0.7, 0.8, 0.84])
    student = scipy.stats.t.interval(0.95, 2, rates.mean(), scipy.stats.sem(rates))
    found = average_over_seeds(apart)
    assert (found.low, found.high) == pytest.approx((student[0], min(1.0, student[1])))
    assert found.rate == pytest.approx(0.78)
    same = average_over_seeds([Proportion(5, 10)] * 3)
    assert (same.low, same.high, same.n_seeds) == (*map(pytest.approx, wilson_interval(5, 10)), 3)
    alone = average_over_seeds([Proportion(5, 10)])
    assert (alone.low, alone.high, alone.n_seeds) == (*wilson_interval(5, 10), 1)
