"""Contradictions in `audit.json` that a JSON Schema cannot express."""

import math
from typing import Any

from straylight.audit.schema import MOST_PIXELS, Json

_DERIVED = {
    *("counts", "clean_accuracy", "clean_accuracy_ci95", "model_passes", "n", "n_fooled"),
    *("fooling_rate", "fooling_rate_ci95", "fooling_rate_raw", "targeted_success_rate"),
    *("targeted_success_rate_ci95", "targeted_success_rate_from_elsewhere", "n_from_elsewhere"),
    *("accuracy", "recalls", "dominant_class", "dominant_share", "ceiling"),
}


def check_consistent(data: Json) -> None:
    """Check that tables fit the classes, the number of images and each other, and that names agree.

    Raises:
        ValueError: If not; the message says where.
    """
    classes, n = data["model"]["class_names"], data["cohort"]["n"]
    tables = {"cohort/clean_confusion": data["cohort"]["clean_confusion"]}
    for number, item in enumerate(data["perturbations"]):
        where = f"perturbations/{number}"
        tables[f"{where}/confusion"] = item["confusion"]
        tables[f"{where}/transitions"] = item["transitions"]
        if item["target"] is not None and item["target"] not in classes:
            raise ValueError(f"{where}/target is not a class")
        if item["n_fooled_raw"] > n:
            raise ValueError(f"{where}/n_fooled_raw exceeds the {n} images")
        if any(point["n_fooled"] > n for point in item["curve"]):
            raise ValueError(f"{where}/curve exceeds the {n} images")
    if data["model"]["height"] * data["model"]["width"] > MOST_PIXELS:
        raise ValueError("model/height and width exceed those of any image that can be audited")
    for where, table in tables.items():
        if len(table) != len(classes) or any(len(row) != len(classes) for row in table):
            raise ValueError(f"{where} is not {len(classes)} x {len(classes)}")
        if sum(map(sum, table)) != n:
            raise ValueError(f"{where} does not count {n} images")
    if data["cohort"]["class_names"] != classes:
        raise ValueError("cohort/class_names differ from the model's")
    _check_margins(data)
    natural = data["natural"]
    if (natural.get("n_distinct") or 0) > natural["n"]:
        raise ValueError("natural/n_distinct exceeds natural/n")


def _check_margins(data: Json) -> None:
    """Check that every table counts the same images: by true class, and by clean prediction.

    Raises:
        ValueError: If not; the message says where.
    """
    clean = data["cohort"]["clean_confusion"]
    true, predicted = _row_sums(clean), _column_sums(clean)
    for number, item in enumerate(data["perturbations"]):
        where, confusion, transitions = (
            f"perturbations/{number}",
            item["confusion"],
            item["transitions"],
        )
        if _row_sums(confusion) != true:
            raise ValueError(f"{where}/confusion counts other images of each class than the cohort")
        if _row_sums(transitions) != predicted:
            raise ValueError(f"{where}/transitions starts from other predictions than the cohort's")
        if _column_sums(transitions) != _column_sums(confusion):
            raise ValueError(f"{where}/transitions and confusion end in different predictions")


def _row_sums(table: list[list[int]]) -> list[int]:
    """Return the sum of each row."""
    return [sum(row) for row in table]


def _column_sums(table: list[list[int]]) -> list[int]:
    """Return the sum of each column."""
    return [sum(column) for column in zip(*table, strict=True)]


def check_derived(stored: Json, derived: Json) -> None:
    """Check that the rates in a file are those that its counts give.

    Raises:
        ValueError: If not; the message says where.
    """
    pairs = [("cohort", stored["cohort"], derived["cohort"])]
    both = zip(stored["perturbations"], derived["perturbations"], strict=True)
    pairs += [(f"perturbations/{k}", *items) for k, items in enumerate(both)]
    for where, given, right in pairs:
        for key in _DERIVED & given.keys():
            if not _is_close(given[key], right[key]):
                raise ValueError(f"{where}/{key} does not agree with its counts")


def _is_close(given: Any, right: Any) -> bool:  # noqa: ANN401
    """Return whether two values are equal up to the rounding of numbers."""
    if isinstance(right, list | tuple):
        same = isinstance(given, list) and len(given) == len(right)
        return same and all(map(_is_close, given, right))
    if isinstance(right, float) and isinstance(given, int | float):
        return math.isclose(given, right, rel_tol=1e-9, abs_tol=1e-9)
    return bool(given == right)
