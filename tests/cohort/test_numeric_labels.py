"""Labels that are whole numbers, however a table writes them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from straylight.cohort.numeric_labels import (
    is_missing_label,
    parse_label_number,
    parse_label_numbers,
)


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_a_whole_number_is_read_back_however_it_is_written(number: int) -> None:
    for text in (str(number), f" {number} ", f"{number}.0", f"{number}.", str(float(number))):
        assert parse_label_number(text) == number
    assert parse_label_number(f"{number:.12e}") == number


@given(st.integers(-1000, 1000), st.integers(1, 7))
def test_a_number_between_whole_ones_is_none(number: int, eighths: int) -> None:
    assert parse_label_number(str(number + eighths / 8)) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "mass",
            "nan",
            "inf",
            "1e400",
            "0x10",
            "1_0",
            "\u0661",
            "²",
            "1,0",
            "--1",
            "1e",
            ".",
        ),
        *(str(2**31), str(-(2**31)), "1" + "0" * 30, "0" * 25, "1 0"),
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert parse_label_number(text) is None
    assert parse_label_numbers(["1", text]) is None


def test_booleans_are_zero_and_one() -> None:
    for value in (True, False, np.True_, np.False_):
        assert parse_label_number(str(value)) == int(value)
    assert parse_label_numbers(["True", "0", "2.0", "0"]) == {"True": 1, "0": 0, "2.0": 2}
    assert parse_label_numbers([]) == {}


@pytest.mark.parametrize("value", ["", "  ", None, float("nan"), np.nan, "NA", "NULL"])
def test_marks_of_a_missing_value_are_known(value: object) -> None:
    assert is_missing_label(str(value))
    assert not is_missing_label(f"{value} 0")
