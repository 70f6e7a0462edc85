"""Rates and intervals against scipy and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from straylight.evaluation.metrics import Proportion, Score, format_percent, wilson_interval


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(case: tuple[int, int]) -> None:
    hits, n = case
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson_interval(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_an_empty_sample_says_nothing() -> None:
    assert Proportion(0, 0).ci95 == (0.0, 1.0)
    assert Proportion(0, 0).rate == 0.0


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_percent_says_0_and_100_only_when_exact(hits: int, n: int) -> None:
    hits = min(hits, n)
    text = format_percent(hits / n)
    assert (text == "0") == (hits == 0)
    assert (text == "100") == (hits == n)
    assert text not in ("0.0", "100.0")


# Ten images of three classes. Clean predictions: 4, 3, 3; under attack 8 go to class 2.
SCORE = Score(
    confusion=((1, 0, 3), (0, 1, 2), (0, 0, 3)),
    transitions=((1, 0, 3), (0, 1, 2), (0, 0, 3)),
    n_fooled_raw=6,
)


def test_rates_by_hand() -> None:
    assert SCORE.fooled == Proportion(5, 10)
    assert SCORE.fooled_raw == Proportion(6, 10)
    assert SCORE.correct == Proportion(5, 10)
    assert SCORE.recalls == [Proportion(1, 4), Proportion(1, 3), Proportion(3, 3)]
    assert SCORE.dominant_class == 2
    assert SCORE.dominant == Proportion(8, 10)
    assert SCORE.ceiling == Proportion(7, 10)
    assert SCORE.hit(2) == Proportion(8, 10)
    assert SCORE.hit_from_elsewhere(2) == Proportion(5, 7)
    assert SCORE.hit_from_elsewhere(0) == Proportion(0, 6)
