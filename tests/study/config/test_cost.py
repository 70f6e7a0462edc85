"""Costs add up, and durations are read in a unit that suits them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from straylight.study.config.cost import CellCost, format_duration

SECONDS = {"s": 1, "min": 60, "h": 3600, "days": 86_400}


def test_costs_add_up() -> None:
    total = sum((CellCost(n, n / 4) for n in range(1, 11)), CellCost())
    assert total == CellCost(55, 13.75)


@given(st.floats(0, 1e9))
def test_a_duration_is_within_its_rounding(seconds: float) -> None:
    number, unit = format_duration(seconds).split()
    half_a_digit = SECONDS[unit] * (0.05 if "." in number else 0.5)
    assert abs(float(number) * SECONDS[unit] - seconds) <= half_a_digit * (1 + 1e-9)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (119.0, "119 s"),
        (120.0, "2 min"),
        (5399.0, "90 min"),
        (5400.0, "1.5 h"),
        (172_799.0, "48.0 h"),
        (172_800.0, "2.0 days"),
    ],
)
def test_the_next_unit_begins_at_two_or_one_and_a_half(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
