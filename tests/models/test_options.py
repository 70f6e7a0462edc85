"""Settings of a model in any sequence type."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from straylight.core.errors import InputError
from straylight.models.options import ModelOptions


def make_options(**given: Any) -> ModelOptions:  # noqa: ANN401
    """Options with values of any type: the types of the tests would let nothing else through."""
    options = ModelOptions()
    vars(options).update(given)
    return options


@pytest.mark.parametrize("make", [list, tuple, np.array])
def test_lists_and_arrays_become_tuples(make: Any) -> None:  # noqa: ANN401
    given: dict[str, Any] = {
        "classes": make(["a", "b"]),
        "mean": make([0.25, 0.5, 0.75]),
        "std": make([1, 2, 4]),
    }
    found = make_options(size=32, grey=True, finding="a", head="logits", **given).parsed()
    assert found == ModelOptions(
        classes=("a", "b"),
        size=32,
        grey=True,
        mean=(0.25, 0.5, 0.75),
        std=(1.0, 2.0, 4.0),
        finding="a",
        head="logits",
    )
    assert hash(found) == hash(found.parsed())


def test_one_number_and_a_path_are_taken_as_they_are() -> None:
    given: dict[str, Any] = {"weights": Path("a") / "w.h5", "mean": 0.5, "std": torch.tensor(0.25)}
    assert make_options(**given).parsed() == ModelOptions(
        weights=str(Path("a/w.h5")), mean=(0.5,), std=(0.25,)
    )
    assert ModelOptions().parsed() == ModelOptions()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"classes": ["a", "a"]}, "have the name a more than once"),
        ({"mean": ["x"]}, r"mean \(--mean\) needs finite numbers"),
        ({"std": float("inf")}, r"std \(--std\) needs finite numbers"),
    ],
)
def test_other_values_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make_options(**given).parsed()
