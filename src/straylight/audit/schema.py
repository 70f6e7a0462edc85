"""The published form of `audit.json`, and what a schema cannot say."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import ValidationError

from straylight.core.errors import quoted
from straylight.core.limits import LARGEST_SIDE
from straylight.core.strict_json import check_follows, check_free_form

SCHEMA = "straylight.audit/1"
MOST_IMAGES = 2**53 - 1
MOST_PIXELS = LARGEST_SIDE**2
MOST_SKIPPED = 1_000_000
MOST_PERTURBATIONS = 2048
MOST_CLASSES = 4096  # whose tables fit into a file that is read
MOST_POINTS = 1024  # of a curve
LONGEST_NAME = 4096
LARGEST_NUMBER = 1e300
BULKY = ("confusion", "transitions", "curve", "recalls")  # long lists of a perturbation
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

    Long lists (tables, files left out, curves) are checked here, a thousand times as fast as by the
    general validator, which then gets the data without them.

    Raises:
        jsonschema.ValidationError: If not.
    """
    if not isinstance(data, dict):
        check_follows(data, json_schema())
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
    check_classes(lighter)
    for place, owner in bulky(lighter):
        check_bulk(owner[str(place[-1])], place)
        owner[str(place[-1])] = []
    check_follows(lighter, json_schema())
    for place, value in free(lighter):
        check_free_form(value, place)


def bulky(data: Json) -> Iterator[tuple[Place, Json]]:
    """Yield the long lists of an audit: the place of each, and the object that it stands in."""
    places = [("natural", "skipped"), ("cohort", "skipped"), ("cohort", "clean_confusion")]
    for part, name in places:
        owner = data.get(part)
        if isinstance(owner, dict) and isinstance(owner.get(name), list):
            yield (part, name), owner
    perturbations = data.get("perturbations")
    for number, owner in enumerate(perturbations if isinstance(perturbations, list) else ()):
        for name in BULKY:
            if isinstance(owner, dict) and isinstance(owner.get(name), list):
                yield ("perturbations", number, name), owner


def check_classes(data: Json) -> None:
    """Check that there are no more classes than tables can be read of.

    Raises:
        jsonschema.ValidationError: If there are.
    """
    for part, name in (("model", "class_names"), ("cohort", "class_names"), ("cohort", "counts")):
        owner = data.get(part)
        found = owner.get(name) if isinstance(owner, dict) else None
        if isinstance(found, list | dict) and len(found) > MOST_CLASSES:
            raise ValidationError(f"it has {len(found):,} classes", path=(part, name))


def check_perturbation(item: Any, *needed: str) -> None:  # noqa: ANN401
    """Check one perturbation by the published schema; `needed` are fields that it must have as well.

    Raises:
        jsonschema.ValidationError: If it does not follow.
    """
    form = json_schema()["properties"]["perturbations"]["items"]
    form = form | {"required": [*form["required"], *needed]}
    lighter = dict(item) if isinstance(item, dict) else item
    for name in BULKY:
        if isinstance(lighter, dict) and isinstance(lighter.get(name), list):
            check_bulk(lighter[name], (name,))
            lighter[name] = []
    check_follows(lighter, form)


def check_bulk(items: list[Any], place: Place) -> None:
    """Check a long list: files with reasons, points of a curve, rates, or rows of counts.

    Raises:
        jsonschema.ValidationError: If an item is something else, or there are too many.
    """
    first, form, most = {
        "skipped": (first_no_file, "a file with its reason", MOST_SKIPPED),
        "curve": (first_no_point, "a point of a curve", MOST_POINTS),
        "recalls": (first_no_rate, "a rate", MOST_CLASSES),
    }.get(str(place[-1]), (first_no_row, "a row of counts", MOST_CLASSES))
    if len(items) > most:
        raise ValidationError(f"it has {len(items):,} items", path=place)
    wrong = first(items)
    if wrong is not None:
        raise ValidationError(f"{quoted(items[wrong])} is not {form}", path=(*place, wrong))


def first_no_rate(items: list[Any]) -> int | None:
    """Return the place of the first item that is not a number from 0 to 1."""
    rates = (type(item) in (int, float) and 0 <= item <= 1 for item in items)
    return next((number for number, right in enumerate(rates) if not right), None)


def first_no_point(items: list[Any]) -> int | None:
    """Return the place of the first item that is not a point of a curve."""
    points = (
        type(item) is dict
        and item.keys() == {*COUNTS, "seconds"}
        and all(type(item[name]) is int and 0 <= item[name] <= MOST_IMAGES for name in COUNTS)
        and type(item["seconds"]) in (int, float)
        and 0 <= item["seconds"] <= LARGEST_NUMBER
        for item in items
    )
    return next((number for number, right in enumerate(points) if not right), None)


def first_no_file(items: list[Any]) -> int | None:
    """Return the place of the first item that is not a file that was left out, and why."""
    texts = (
        type(item) is dict
        and item.keys() == {"file", "reason"}
        and type(item["file"]) is type(item["reason"]) is str
        and len(item["file"]) <= LONGEST_NAME
        and len(item["reason"]) <= LONGEST_NAME
        for item in items
    )
    return next((number for number, right in enumerate(texts) if not right), None)


def first_no_row(items: list[Any]) -> int | None:
    """Return the place of the first item that is not a row of a table of counts."""
    rows = (
        type(item) is list
        and {int}.issuperset(map(type, item))
        and min(item, default=0) >= 0
        and max(item, default=0) <= MOST_IMAGES
        for item in items
    )
    return next((number for number, right in enumerate(rows) if not right), None)


def free(data: Json) -> Iterator[tuple[Place, Any]]:
    """Yield the parts of an audit whose form is free."""
    yield ("environment",), data["environment"]
    yield ("model", "card"), data["model"]["card"]
    yield ("natural", "adapted"), data["natural"]["adapted"]
    for number, item in enumerate(data["perturbations"]):
        yield ("perturbations", number, "method"), item["method"]


def check_consistent(data: Json) -> None:
    """Check that tables fit the classes, the number of images and each other, and so do names.

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
        raise ValueError("model/height and width are those of no image that is audited")
    for where, table in tables.items():
        if len(table) != len(classes) or any(len(row) != len(classes) for row in table):
            raise ValueError(f"{where} is not {len(classes)} x {len(classes)}")
        if sum(map(sum, table)) != n:
            raise ValueError(f"{where} does not count {n} images")
    if data["cohort"]["class_names"] != classes:
        raise ValueError("cohort/class_names differ from the model's")
    check_margins(data)
    natural = data["natural"]
    if (natural.get("n_distinct") or 0) > natural["n"]:
        raise ValueError("natural/n_distinct exceeds natural/n")


def check_margins(data: Json) -> None:
    """Check that every table counts the same images: by true class, and by clean prediction.

    Raises:
        ValueError: If not; the message says where.
    """
    clean = data["cohort"]["clean_confusion"]
    true, predicted = by_row(clean), by_column(clean)
    for number, item in enumerate(data["perturbations"]):
        where, confusion, transitions = (
            f"perturbations/{number}",
            item["confusion"],
            item["transitions"],
        )
        if by_row(confusion) != true:
            raise ValueError(f"{where}/confusion counts other images of each class than the cohort")
        if by_row(transitions) != predicted:
            raise ValueError(f"{where}/transitions starts from other predictions than the cohort's")
        if by_column(transitions) != by_column(confusion):
            raise ValueError(f"{where}/transitions and confusion end in different predictions")


def by_row(table: list[list[int]]) -> list[int]:
    """Sum each row."""
    return [sum(row) for row in table]


def by_column(table: list[list[int]]) -> list[int]:
    """Sum each column."""
    return [sum(column) for column in zip(*table, strict=True)]
