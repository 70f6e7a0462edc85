"""Recipes: the presets, the learning rate of each step, and settings that are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from straylight.core.errors import InputError
from straylight.training.recipe import (
    PRESETS,
    Recipe,
    check_setting,
    learning_rate_at,
    one_cycle_rate,
)


@pytest.mark.parametrize("steps_per_epoch", [1, 218])
def test_the_papers_learning_rate_by_epoch(steps_per_epoch: int) -> None:
    """Its rule, with epochs counted from 0 as its code does, divided as Keras' `decay` divides."""
    recipe = Recipe(backbone="x", **PRESETS["minagi2022"])
    for epoch in range(50):
        rate = 1e-5 if epoch > 45 else 1e-4 if epoch > 40 else 1e-3
        for step in (epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch - 1):
            expected = rate / (1 + 1e-6 * step)
            assert learning_rate_at(recipe, step, steps_per_epoch) == pytest.approx(
                expected, rel=1e-12
            )


def test_one_cycle_spans_all_epochs() -> None:
    recipe = Recipe(backbone="x", epochs=4)
    for step in range(28):
        assert learning_rate_at(recipe, step, 7) == one_cycle_rate(step, 28, 0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patience": -1}, "patience must be 0 or more, not -1"),
        ({"rotation": float("nan")}, "rotation must be 0 or more, not nan"),
        ({"shift": -0.1}, "shift must be 0 or more"),
        ({"weight_decay": float("inf")}, "weight_decay must be 0 or more"),
        ({"std": (0.5, 0.0, 0.5)}, "std > 0"),
        ({"decay": 1e-6}, "decay need the schedule 'steps'"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(backbone="x", **changes)  # type: ignore[arg-type]


def test_one_cycle_rises_then_falls_to_nothing() -> None:
    rates = [one_cycle_rate(step, 100, 0.02) for step in range(100)]
    assert max(rates) == pytest.approx(0.02)
    assert rates.index(max(rates)) == 15
    assert rates[0] == pytest.approx(0.02 / 16)
    assert rates[-1] < 1e-5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"validation": 1.0}, "validation must lie between"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
    ],
)
def test_impossible_recipes_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(backbone="x", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flips": "vertical"}, "flips must be one of none, horizontal, both, not 'vertical'"),
        ({"flips": True}, r"flips must be one of .* not True \(bool\)"),
        ({"sampling": None}, "sampling must be one of balanced, oversampled, not None"),
        ({"precision": "float16"}, "precision must be one of float32, bfloat16"),
        ({"schedule": ["steps"]}, "schedule must be one of"),
        ({"epochs": 1.5}, r"epochs must be a whole number, not 1.5 \(float\)"),
        ({"epochs": "8"}, "epochs must be a whole number, not '8'"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"epochs": 10**6 + 1}, "epochs must be at most 1000000"),
        ({"batch_size": 1}, "batch_size must be at least 2, not 1"),
        ({"seed": True}, "seed must be a whole number"),
        ({"seed": 2**32 + 1}, "seed must be at most 4294967296"),
        ({"learning_rate": "0.1"}, "learning_rate must be a number, such as 0.1, not '0.1'"),
        ({"learning_rate": 0}, "learning_rate must be positive, not 0.0"),
        ({"learning_rate": float("inf")}, "learning_rate must be positive, not inf"),
        ({"validation": 1}, "validation must lie between 0 and 1, not 1.0"),
        ({"validation": 0}, "validation must be positive"),
        ({"shift": 2}, "shift must be at most 1, not 2.0"),
        ({"rotation": 361}, "rotation must be at most 360"),
        ({"drops": (1, "2")}, "drops must be a whole number, not '2'"),
        ({"drops": None}, "drops must be a whole number, not None"),
        ({"mean": (0.5, 0.5)}, "one number is needed for grey images, or three"),
        ({"mean": "0.5"}, "mean .* needs finite numbers"),
        ({"std": (1, float("nan"), 1)}, "std .* needs finite numbers"),
        ({"backbone": ""}, "backbone must be a name, such as 'mobilenetv2_100', not ''"),
        ({"backbone": None}, "backbone must be a name"),
        ({"weights": 3}, r"weights must be a name, .* not 3 \(int\)"),
        ({"weights": "a\0b"}, "weights must be a name"),
        ({"backbone_args": [1]}, "backbone_args must be a dict"),
        ({"backbone_args": {1: 2}}, "backbone_args must be a dict"),
        ({"backbone_args": {"a": float("nan")}}, "backbone_args must hold numbers, words"),
        ({"backbone_args": {"a": object()}}, "backbone_args must hold numbers, words"),
    ],
)
def test_each_setting_of_a_recipe_is_checked(changes: dict[str, Any], message: str) -> None:
    recipe = object.__new__(Recipe)
    vars(recipe).update(vars(Recipe(backbone="x", schedule="steps")) | changes)
    with pytest.raises(InputError, match=message):
        recipe.__post_init__()


def test_numbers_of_any_type_are_taken() -> None:
    assert check_setting(np.int64(3), "epochs", int) == 3
    assert type(check_setting(np.float32(0.5), "shift", float)) is float
    assert check_setting(np.array([0.5, 0.25, 1]), "mean", tuple[float, ...]) == (0.5, 0.25, 1.0)
    assert check_setting([np.int32(4)], "drops", tuple[int, ...]) == (4,)
    assert check_setting(Path("a") / "b", "weights", str) == str(Path("a") / "b")
    json.dumps(check_setting({"pad_type": "same"}, "backbone_args", dict))
