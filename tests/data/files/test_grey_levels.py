"""Grey values of any depth become 8 bits, by table or in blocks."""

import numpy as np
import pytest

from straylight.data.files import grey_levels
from straylight.data.files.grey_levels import (
    BeyondNumbersError,
    grey_to_8_bits,
    linear_share,
    to_8_bits,
    value_limits,
)
from straylight.data.files.window import Window
from straylight.data.value_ranges import CHOSEN_WINDOW, SPAN, ValueRange


def test_values_go_from_the_minimum_to_the_maximum() -> None:
    grey, value_range = grey_to_8_bits(np.array([[100, 200], [300, 610]], np.uint16), None)
    assert grey.tolist() == [[0, 50], [100, 255]]
    assert value_range == ValueRange(SPAN, 100.0, 610.0)
    constant, _ = grey_to_8_bits(np.full((2, 2), 7, np.int16), None)
    assert not constant.any()


def test_a_window_sets_the_limits() -> None:
    grey, value_range = grey_to_8_bits(np.array([-1, 0, 1, 2, 3, 9], np.int16), Window(2.0, 4.0))
    assert grey.tolist() == [0, 0, 85, 170, 255, 255]
    assert value_range == ValueRange(CHOSEN_WINDOW, 0.0, 3.0)


def test_a_table_and_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(-(2**15), 2**15, 70_000).astype(np.int16)
    share = linear_share(-1000.0, 20_000.0)
    by_table = to_8_bits(values, share)
    monkeypatch.setattr(grey_levels, "BLOCK", 999)
    assert (to_8_bits(values.astype(np.int32), share) == by_table).all()


def test_excluded_values_do_not_count() -> None:
    values = np.array([0, 5, 9, 65535], np.uint16)
    assert value_limits(values, lambda found: found, (65535.0, 65535.0)) == (0.0, 9.0)
    assert value_limits(values, lambda found: 2 * found, (0.0, 4.0)) == (10.0, 131070.0)
    assert value_limits(values, lambda found: found, (0.0, 65535.0)) is None


def test_values_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(BeyondNumbersError):
        to_8_bits(np.array([np.nan]), lambda found: found)
    with pytest.raises(BeyondNumbersError):
        linear_share(0.0, float("inf"))
