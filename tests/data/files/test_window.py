"""DICOM windows, by the formulas of PS3.3 C.11.2.1.2."""

import numpy as np
import pytest

from straylight.data.files.window import EXACT, LINEAR, SIGMOID, Window


def test_a_linear_window_has_the_limits_of_the_standard() -> None:
    window = Window(2048.0, 4096.0, LINEAR)
    assert window.limits == (0.0, 4095.0)
    assert window.share(np.array([-1.0, 0.0, 4095.0, 5000.0])).tolist() == [0, 0, 1, 1]


def test_an_exact_window_reaches_half_at_its_centre() -> None:
    window = Window(10.0, 4.0, EXACT)
    assert window.limits == (8.0, 12.0)
    assert window.share(np.array([8.0, 9.0, 10.0, 12.0])).tolist() == [0, 0.25, 0.5, 1]


def test_a_sigmoid_window_is_the_logistic_function() -> None:
    shares = Window(10.0, 4.0, SIGMOID).share(np.array([9.0, 10.0, 11.0]))
    assert shares == pytest.approx([1 / (1 + np.e), 0.5, 1 / (1 + 1 / np.e)])


def test_a_linear_window_of_width_one_is_a_threshold() -> None:
    assert Window(3.0, 1.0).share(np.array([2.0, 2.5, 3.0])).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("window", "valid"),
    [
        (Window(0.0, 1.0), True),
        (Window(0.0, 0.5), False),
        (Window(0.0, 0.5, EXACT), True),
        (Window(0.0, 0.0, SIGMOID), False),
        (Window(float("nan"), 2.0), False),
    ],
)
def test_a_width_must_be_allowed_by_the_standard(window: Window, valid: bool) -> None:
    assert window.is_valid == valid
