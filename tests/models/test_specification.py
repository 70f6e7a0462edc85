"""Shapes, class names and normalisation in any sequence type."""

from typing import Any

import numpy as np
import pytest
import torch

from networks import IMAGES, NAMES, Net, classifier, expected, logits
from shades import cohort_of
from straylight import Cohort
from straylight.core.errors import InputError
from straylight.models.evaluation_mode import freeze_network
from straylight.models.specification import copy_card, parse_channel_values, parse_class_names


@pytest.mark.parametrize("names", [list(NAMES), np.array(NAMES), iter(NAMES)])
def test_case_22_names_in_any_row(names: Any) -> None:  # noqa: ANN401
    assert classifier(Net(logits), class_names=names).class_names == NAMES


@pytest.mark.parametrize(
    "half", [0.5, (0.5,), [0.5] * 3, np.float32(0.5), np.full(3, 0.5), torch.full((3, 1, 1), 0.5)]
)
def test_case_22_normalisation_in_any_row(half: Any) -> None:  # noqa: ANN401
    found = classifier(Net(logits), mean=half, std=half)
    torch.testing.assert_close(found(IMAGES), expected())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"class_names": "ABCDEFG"}, "at least two classes"),
        ({"class_names": [*"ABCDEFF"]}, "have the name F more than once"),
        ({"class_names": ["A", " "]}, "needs a name, not ' '"),
        ({"mean": (0.5, 0.5)}, "one number is needed for grey images, or three for RGB"),
        ({"mean": 10**400}, "needs finite numbers"),
        ({"std": [1, 1, float("nan")]}, "needs finite numbers, one for each channel, not nan"),
        ({"std": 0}, "std > 0 is needed, not 0.0"),
        ({"shape": (3, 16)}, r"is \(channels, height, width\), not \(3, 16\)"),
        ({"shape": (3, 2**20, 16)}, "1 to 4096 pixels a side"),
        ({"card": {"weights": torch.zeros(1)}}, "plain data that JSON can hold"),
    ],
)
def test_case_22_other_arguments_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        classifier(Net(logits), **changes)


def test_case_22_what_is_of_another_kind_is_refused() -> None:
    """By the functions that take whatever a user gives: the types of the tests let nothing through."""
    for names in (range(7), None, [["A"]]):
        with pytest.raises(InputError, match="needs a name, not"):
            parse_class_names(names)
    for numbers in ("0.5", None, True, 1j, {"r": 1}, object(), [[0.1, 0.2], [0.3, 0.4]]):
        with pytest.raises(InputError, match="needs finite numbers, one for each channel, not"):
            parse_channel_values(numbers, "mean")
    for network in ("resnet18", Net, len, None):
        with pytest.raises(InputError, match=r"needs a torch\.nn\.Module, not"):
            freeze_network(network)
    with pytest.raises(InputError, match="is already a Classifier"):
        classifier(classifier(Net(logits)))


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\x00", "a\udcff", "a\nb", "a\x85", "x" * 1001])
def test_names_that_cannot_be_recorded_are_refused_at_once(name: str) -> None:
    with pytest.raises(InputError, match="cannot be recorded"):
        parse_class_names(["fine", name])
    cohort = cohort_of()
    with pytest.raises(InputError, match="cannot be recorded"):
        Cohort(cohort.images, cohort.labels, ("fine", name))


def test_names_of_other_scripts_are_names() -> None:
    names = ("\u05d0\u202e", "\U0001f600 caf\u00e9", "x" * 1000)
    assert parse_class_names(names) == names


@pytest.mark.parametrize("value", [float("nan"), "\x1b", "\udcff", object()])
def test_a_card_that_could_not_be_read_back_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="plain data that JSON can hold"):
        copy_card({"key": value}, ())
