"""The published JSON Schema of `audit.json`, and a fast validation by it."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import ValidationError

from straylight.core.errors import quote_text
from straylight.core.json_schema import check_free_json, check_json_schema
from straylight.core.limits import LARGEST_SIDE

SCHEMA = "straylight.audit/1"
MOST_IMAGES = 2**53 - 1
MOST_PIXELS = LARGEST_SIDE**2
MOST_SKIPPED = 1_000_000
MOST_PERTURBATIONS = 2048
MOST_CLASSES = 4096  # more would not fit into a file of the largest size
MOST_POINTS = 1024  # of a curve
LONGEST_NAME = 4096
LARGEST_NUMBER = 1e300
_LONG_LISTS = ("confusion", "transitions", "curve", "recalls")  # long lists of a perturbation
COUNTS = ("images_seen", "model_passes", "n_fooled")  # of a point of a curve

Json = dict[str, Any]
Place = tuple[str | int, ...]


@cache
def json_schema() -> Json:
    """Return the published JSON Schema of `audit.json`."""
    text = files("straylight.audit").joinpath("audit.schema.json").read_text(encoding="utf-8")
    schema: Json = json.loads(text)
    return schema


def check_form(data: Any) -> None:  # noqa: ANN401
    """Check that data follow the published schema.

    Long lists (tables, skipped files, curves) are checked here, a thousand times faster than by the
    general validator, which then gets the data without them.

    Raises:
        jsonschema.ValidationError: If not.
    """
    if not isinstance(data, dict):
        check_json_schema(data, json_schema())
        return
    lighter = dict(data)
    for part in ("natural", "cohort", "model"):
        if isinstance(data.get(part), dict):
            lighter[part] = dict(data[part])
    perturbations = data.get("perturbations")
    if isinstance(perturbations, list):
        if len(perturbations) > MOST_PERTURBATIONS:
            raise ValidationError("it has too many items", path=("perturbations",))
        lighter["perturbations"] = [dict(p) if isinstance(p, dict) else p for p in perturbations]
    _check_class_count(lighter)
    for place, owner in _long_lists(lighter):
        _check_long_list(owner[str(place[-1])], place)
        owner[str(place[-1])] = []
    check_json_schema(lighter, json_schema())
    for place, value in _free_parts(lighter):
        check_free_json(value, place)


def _long_lists(data: Json) -> Iterator[tuple[Place, Json]]:
    """Yield the long lists of an audit: the path of each, and the object that contains it."""
    places = [("natural", "skipped"), ("cohort", "skipped"), ("cohort", "clean_confusion")]
    for part, name in places:
        owner = data.get(part)
        if isinstance(owner, dict) and isinstance(owner.get(name), list):
            yield (part, name), owner
    perturbations = data.get("perturbations")
    for number, owner in enumerate(perturbations if isinstance(perturbations, list) else ()):
        for name in _LONG_LISTS:
            if isinstance(owner, dict) and isinstance(owner.get(name), list):
                yield ("perturbations", number, name), owner


def _check_class_count(data: Json) -> None:
    """Check that there are not too many classes.

    Raises:
        jsonschema.ValidationError: If there are.
    """
    for part, name in (("model", "class_names"), ("cohort", "class_names"), ("cohort", "counts")):
        owner = data.get(part)
        found = owner.get(name) if isinstance(owner, dict) else None
        if isinstance(found, list | dict) and len(found) > MOST_CLASSES:
            raise ValidationError(f"it has {len(found):,} classes", path=(part, name))


def check_perturbation_form(item: Any, *needed: str) -> None:  # noqa: ANN401
    """Check one perturbation by the published schema; `needed` are optional fields that it must have.

    Raises:
        jsonschema.ValidationError: If it does not follow.
    """
    form = json_schema()["properties"]["perturbations"]["items"]
    form = form | {"required": [*form["required"], *needed]}
    lighter = dict(item) if isinstance(item, dict) else item
    for name in _LONG_LISTS:
        if isinstance(lighter, dict) and isinstance(lighter.get(name), list):
            _check_long_list(lighter[name], (name,))
            lighter[name] = []
    check_json_schema(lighter, form)


def _check_long_list(items: list[Any], place: Place) -> None:
    """Check a long list: skipped files, points of a curve, rates, or rows of counts.

    Raises:
        jsonschema.ValidationError: If an item is invalid, or there are too many.
    """
    first, form, most = {
        "skipped": (_first_bad_file, "a file with its reason", MOST_SKIPPED),
        "curve": (_first_bad_point, "a point of a curve", MOST_POINTS),
        "recalls": (_first_bad_rate, "a rate", MOST_CLASSES),
    }.get(str(place[-1]), (_first_bad_row, "a row of counts", MOST_CLASSES))
    if len(items) > most:
        raise ValidationError(f"it has {len(items):,} items", path=place)
    wrong = first(items)
    if wrong is not None:
        raise ValidationError(f"{quote_text(items[wrong])} is not {form}", path=(*place, wrong))


def _first_bad_rate(items: list[Any]) -> int | None:
    """Return the index of the first item that is not a number from 0 to 1, or None."""
    rates = (type(item) in (int, float) and 0 <= item <= 1 for item in items)
    return next((number for number, right in enumerate(rates) if not right), None)


def _first_bad_point(items: list[Any]) -> int | None:
    """Return the index of the first item that is not a point of a curve, or None."""
    points = (
        type(item) is dict
        and item.keys() == {*COUNTS, "seconds"}
        and all(type(item[name]) is int and 0 <= item[name] <= MOST_IMAGES for name in COUNTS)
        and type(item["seconds"]) in (int, float)
        and 0 <= item["seconds"] <= LARGEST_NUMBER
        for item in items
    )
    return next((number for number, right in enumerate(points) if not right), None)


def _first_bad_file(items: list[Any]) -> int | None:
    """Return the index of the first item that is not a skipped file with its reason, or None."""
    texts = (
        type(item) is dict
        and item.keys() == {"file", "reason"}
        and type(item["file"]) is type(item["reason"]) is str
        and len(item["file"]) <= LONGEST_NAME
        and len(item["reason"]) <= LONGEST_NAME
        for item in items
    )
    return next((number for number, right in enumerate(texts) if not right), None)


def _first_bad_row(items: list[Any]) -> int | None:
    """Return the index of the first item that is not a row of counts, or None."""
    rows = (
        type(item) is list
        and {int}.issuperset(map(type, item))
        and min(item, default=0) >= 0
        and max(item, default=0) <= MOST_IMAGES
        for item in items
    )
    return next((number for number, right in enumerate(rows) if not right), None)


def _free_parts(data: Json) -> Iterator[tuple[Place, Any]]:
    """Yield the parts of an audit that may be any JSON, with their paths."""
    yield ("environment",), data["environment"]
    yield ("model", "card"), data["model"]["card"]
    yield ("natural", "adapted"), data["natural"]["adapted"]
    for number, item in enumerate(data["perturbations"]):
        yield ("perturbations", number, "method"), item["method"]
