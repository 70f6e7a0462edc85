"""Every combination that a matrix of audits calls for."""

import math
from itertools import product
from typing import Any

from straylight.audit.schema import Json
from straylight.core.errors import InputError

MOST = 10_000  # audits: a year of them at an hour each
MOST_COMPARED = 2_000_000  # combinations with entries of ``exclude``
AXES = (
    *("cohort", "model", "initialisation", "source", "photographs"),
    *("norm", "zeta", "eps_levels", "training_seed", "seed"),
)


def expand(matrix: Json) -> list[Json]:
    """Return the settings of each audit: the product over the axes, less what is excluded.

    An axis is a value or a list of values. An entry of ``exclude`` leaves out the combinations that
    have all of its values. An entry of ``include`` makes the product once more with its own keys in
    the place of the matrix's, and nothing of that is excluded.

    >>> two = {"cohort": ["a", "b"], "seed": [0, 1], "exclude": [{"cohort": "b", "seed": 1}]}
    >>> [(item["cohort"], item["seed"]) for item in expand(two)]
    [('a', 0), ('a', 1), ('b', 0)]
    """
    if (n := count(matrix)) > MOST:
        raise InputError(f"it calls for {n:,} audits, and a study has at most {MOST:,}")
    if n * len(matrix.get("exclude", [])) > MOST_COMPARED:
        raise InputError("it has too many entries of exclude for so many audits")
    base = {key: value for key, value in matrix.items() if key not in ("include", "exclude")}
    excluded = matrix.get("exclude", [])
    found = [item for item in combinations(base) if not any(fits(item, out) for out in excluded)]
    for extra in matrix.get("include", []):
        budget = {"zeta", "eps_levels"} if {"zeta", "eps_levels"} & extra.keys() else set()
        kept = {key: value for key, value in base.items() if key not in budget}
        found += combinations(kept | extra)
    return found


def count(matrix: Json) -> int:
    """Count the combinations of a matrix before any is made, those that are excluded too."""
    found = product_of(matrix)
    for extra in matrix.get("include", []):
        found += product_of(matrix | extra)
    return found


def product_of(settings: Json) -> int:
    """Multiply the numbers of values of all axes."""
    return math.prod(len(several(settings[name])) for name in AXES if name in settings)


def combinations(settings: Json) -> list[Json]:
    """Return the product over the axes; the other settings are the same in all."""
    axes = {name: several(settings[name]) for name in AXES if name in settings}
    rest = {key: value for key, value in settings.items() if key not in axes}
    return [rest | dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def fits(item: Json, pattern: Json) -> bool:
    """Return whether a combination has all values of a pattern."""
    return all(item.get(key) in several(value) for key, value in pattern.items())


def several(value: Any) -> list[Any]:  # noqa: ANN401
    """Return a list of values, or one value as a list."""
    return value if isinstance(value, list) else [value]
