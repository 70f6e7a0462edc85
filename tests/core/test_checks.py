"""Values that users of the Python API pass."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from straylight import Recipe
from straylight.core.checks import (
    check_folder,
    check_integer,
    check_number,
    check_text,
    check_type,
    check_words,
)
from straylight.core.errors import InputError
from straylight.evaluation.preflight.run import check_logits


def test_values_of_related_types_are_converted() -> None:
    assert check_number(np.float32(0.5), "eps", "0.1") == 0.5
    assert check_integer(np.int64(3), "steps") == 3
    assert check_words("a", "methods", "'a'") == ("a",)
    assert check_words(["a", "b"], "methods", "'a'") == ("a", "b")
    assert check_text("a\n\tb", "note") == "a\n\tb"
    assert check_folder("x/y") == Path("x/y")


def test_other_values_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"eps must be a number, such as 0\.1, not True"):
        check_number(True, "eps", "0.1")
    with pytest.raises(InputError, match=r"steps must be a whole number, not 1\.5"):
        check_integer(1.5, "steps")
    with pytest.raises(InputError, match="steps must be at least 1, not 0"):
        check_integer(0, "steps", least=1)
    with pytest.raises(InputError, match="methods must be words, such as 'a', not 1"):
        check_words(1, "methods", "'a'")
    with pytest.raises(InputError, match="note has control characters"):
        check_text("\x1b[1m", "note")
    with pytest.raises(InputError, match="note must have at most 2 characters, not 3"):
        check_text("abc", "note", longest=2)
    with pytest.raises(InputError, match="out must be a folder"):
        check_folder(b"bytes")
    with pytest.raises(InputError, match=r"plan must be created by Plan\(\), not 1"):
        check_type(1, "plan", str, "Plan()")


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_folder(None, "folder"), "folder must be a folder, .* not None"),
        (lambda: check_folder(b"x"), "out must be a folder"),
        (lambda: check_folder(Path("a\0b")), r"a\\x00b cannot be a folder"),
        (lambda: check_type({}, "recipe", Recipe, "Recipe(...)"), r"recipe must be .* not \{\}"),
        (lambda: check_logits(torch.zeros(2, 3), (3, 2)), r"shape \(3, 2\), not \(2, 3\)"),
        (lambda: check_logits([0.0], (1, 2)), r"shape \(1, 2\), not list"),
    ],
)
def test_the_door_of_python_names_the_parameter(check: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check()
