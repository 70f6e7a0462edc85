"""The allow-list of constructor arguments."""

import pytest

from straylight.core.errors import InputError
from straylight.models.constructor_arguments import (
    LAYER_ARGUMENTS,
    check_arguments,
    choice_of,
    integer_between,
    is_layer_count,
    number_between,
    scalar_or_list,
)


def test_checks_take_their_type_within_their_range_only() -> None:
    integer, number = integer_between(1, 4), number_between(0, 1)
    assert [integer(value) for value in (1, 4, 0, 5, 1.0, True, "1")] == [True, True] + 5 * [False]
    assert [number(value) for value in (0, 0.5, 1, 1.1, True, float("nan"))] == 3 * [True] + 3 * [
        False
    ]
    assert [choice_of("a", "b")(value) for value in ("a", "c", ["a"])] == [True, False, False]
    several = scalar_or_list(integer)
    assert [several(value) for value in (2, [1, 2], [1, 9], (1, 2), [1] * 65)] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_layers_are_limited_in_all() -> None:
    assert is_layer_count(200)
    assert is_layer_count([100, 100])
    assert not is_layer_count([100, 101])
    assert not is_layer_count(0)


def test_arguments_that_are_not_listed_are_named() -> None:
    check_arguments("x", {"depth": 3, "embed_dim": None}, LAYER_ARGUMENTS)
    with pytest.raises(InputError, match=r"^x cannot be built with checkpoint_path, depth: "):
        check_arguments("x", {"depth": 1000, "checkpoint_path": "p"}, LAYER_ARGUMENTS)
