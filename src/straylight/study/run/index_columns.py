"""The columns of the index of a study: the type and the bounds of every figure that a cell returns."""

import math
from collections.abc import Mapping
from typing import Any

from straylight.audit.schema import MOST_IMAGES, MOST_PERTURBATIONS, Json
from straylight.core.errors import quote_text

TEXT, COUNT, NUMBER = "a text", "a count", "a number"
MAYBE = " or nothing"
ANY = "a text or a number or nothing"
LONGEST = 2**16  # characters of a text: a name consists of a class and a method
PERTURBATIONS = {
    **dict.fromkeys(("name",), TEXT),
    **dict.fromkeys(("attack",), TEXT + MAYBE),
    **dict.fromkeys(("role", "threat_model", "method"), TEXT),
    **dict.fromkeys(("learned_on", "target", "copy_of"), TEXT + MAYBE),
    **dict.fromkeys(("n", "n_fooled", "n_fooled_raw", "n_correct", "n_ceiling"), COUNT),
    **dict.fromkeys(("n_on_target", "n_elsewhere", "n_moved"), COUNT + MAYBE),
    "dominant_class": TEXT,
    **dict.fromkeys(("n_dominant", "passes"), COUNT),
    **dict.fromkeys(("seconds", "l2", "linf"), NUMBER),
}
PAIRS = {
    **dict.fromkeys(("attack", "control", "kind"), TEXT),
    **dict.fromkeys(("only_attack", "only_control", "n_control"), COUNT),
}
FIGURES = {
    **dict.fromkeys(("n", "n_correct"), COUNT + MAYBE),
    **dict.fromkeys(("eps", "validation_accuracy"), NUMBER + MAYBE),
}
MOST_PAIRS = MOST_PERTURBATIONS * MOST_PERTURBATIONS // 4


def _has_form(value: Any, form: str) -> bool:  # noqa: ANN401
    """Return whether a value has the form of a column."""
    if value is None:
        return form.endswith(MAYBE)
    form = form.removesuffix(MAYBE)
    if form == TEXT or (form == ANY.removesuffix(MAYBE) and isinstance(value, str)):
        return isinstance(value, str) and len(value) <= LONGEST
    if isinstance(value, bool):
        return False
    if form == COUNT:
        return isinstance(value, int) and 0 <= value <= MOST_IMAGES
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) <= 1e300


def check_columns(row: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    """Check that the values of a row have the form of its columns.

    Raises:
        ValueError: If one has not.
    """
    for name, form in columns.items():
        if not _has_form(row.get(name), form):
            raise ValueError(f"its {name} is {quote_text(row.get(name), 40)}, which is not {form}")


def check_perturbation_row(
    row: Mapping[str, Any], columns: Mapping[str, str] = PERTURBATIONS
) -> None:
    """Check the row of a perturbation: no count may exceed the number of images.

    Args:
        row: The row.
        columns: The columns that it must have.

    Raises:
        ValueError: If a value has another form, or if a count is too large.
    """
    check_columns(row, columns)
    for name in columns:
        if name.startswith("n_") and (row.get(name) or 0) > row["n"]:
            raise ValueError(f"its {name} exceeds its {row['n']} images")
    if (row.get("n_moved") or 0) > (row.get("n_elsewhere") or 0):
        raise ValueError("its n_moved exceeds its n_elsewhere")
    if row.get("target") is not None and row.get("n_elsewhere") is None:
        raise ValueError("it has a target and no n_elsewhere")


def check_figures(figures: Json) -> None:
    """Check the figures of a cell.

    Raises:
        ValueError: If a value has another form, or if a count is too large.
    """
    check_columns(figures, FIGURES)
    if (figures.get("n_correct") or 0) > (figures.get("n") or 0):
        raise ValueError("its n_correct exceeds its n")
    for table, most in (("perturbations", MOST_PERTURBATIONS), ("pairs", MOST_PAIRS)):
        rows = figures.get(table, [])
        if not isinstance(rows, list) or len(rows) > most:
            raise ValueError(f"its {table} are not a list of at most {most:,}")
        for row in rows:
            if not isinstance(row, dict):
                raise ValueError(f"one of its {table} is not a table")
            if table == "pairs":
                check_columns(row, PAIRS)
            else:
                check_perturbation_row(row)
