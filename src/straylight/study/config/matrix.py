"""Expand a matrix of audits into all of its combinations."""

import math
from itertools import product
from typing import Any

from straylight.audit.schema import Json
from straylight.core.errors import InputError

MOST_AUDITS = 10_000  # a year, at an hour per audit
MOST_COMPARED = 2_000_000  # comparisons of combinations with entries of ``exclude``
AXES = (
    *("cohort", "model", "initialisation", "source", "photographs"),
    *("norm", "zeta", "eps_levels", "training_seed", "seed"),
)


def expand_matrix(matrix: Json) -> list[Json]:
    """Return the settings of each audit: the product over the axes, less what is excluded.

    An axis is a value or a list of values. An entry of ``exclude`` removes the combinations that have
    all of its values. An entry of ``include`` adds the product with its own keys instead of those of
    the matrix; nothing of that is excluded.

    >>> two = {"cohort": ["a", "b"], "seed": [0, 1], "exclude": [{"cohort": "b", "seed": 1}]}
    >>> [(item["cohort"], item["seed"]) for item in expand_matrix(two)]
    [('a', 0), ('a', 1), ('b', 0)]
    """
    if (n := count_combinations(matrix)) > MOST_AUDITS:
        raise InputError(f"it calls for {n:,} audits, and a study has at most {MOST_AUDITS:,}")
    if n * len(matrix.get("exclude", [])) > MOST_COMPARED:
        raise InputError("it has too many entries of exclude for so many audits")
    base = {key: value for key, value in matrix.items() if key not in ("include", "exclude")}
    excluded = matrix.get("exclude", [])
    settings = [
        item for item in _combine_axes(base) if not any(_has_values(item, out) for out in excluded)
    ]
    for extra in matrix.get("include", []):
        budget = {"zeta", "eps_levels"} if {"zeta", "eps_levels"} & extra.keys() else set()
        kept = {key: value for key, value in base.items() if key not in budget}
        settings += _combine_axes(kept | extra)
    return settings


def count_combinations(matrix: Json) -> int:
    """Count the combinations of a matrix without expanding it, including the excluded ones."""
    total = _multiply_axes(matrix)
    for extra in matrix.get("include", []):
        total += _multiply_axes(matrix | extra)
    return total


def _multiply_axes(settings: Json) -> int:
    """Return the number of combinations of all axes."""
    return math.prod(len(_as_list(settings[name])) for name in AXES if name in settings)


def _combine_axes(settings: Json) -> list[Json]:
    """Return the product over the axes; all combinations share the other settings."""
    axes = {name: _as_list(settings[name]) for name in AXES if name in settings}
    rest = {key: value for key, value in settings.items() if key not in axes}
    return [rest | dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def _has_values(item: Json, pattern: Json) -> bool:
    """Return whether a combination has all values of a pattern."""
    return all(item.get(key) in _as_list(value) for key, value in pattern.items())


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401
    """Return a list of values, or one value as a list."""
    return value if isinstance(value, list) else [value]
