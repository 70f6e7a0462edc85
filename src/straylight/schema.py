"""The published form of `audit.json`, and what no schema can say."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

SCHEMA = "straylight.audit/1"

Json = dict[str, Any]


@cache
def json_schema() -> Json:
    """Return the published JSON Schema of `audit.json`."""
    text = files("straylight").joinpath("audit.schema.json").read_text(encoding="utf-8")
    schema: Json = json.loads(text)
    return schema


def check_consistent(data: Json) -> None:
    """See that tables fit the classes, counts the number of images, and names each other.

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
            raise ValueError(f"{where}/target is no class")
        if item["n_fooled_raw"] > n:
            raise ValueError(f"{where}/n_fooled_raw exceeds the {n} images")
        if any(point["n_fooled"] > n for point in item["curve"]):
            raise ValueError(f"{where}/curve exceeds the {n} images")
    for where, table in tables.items():
        if len(table) != len(classes) or any(len(row) != len(classes) for row in table):
            raise ValueError(f"{where} is not {len(classes)} x {len(classes)}")
        if sum(map(sum, table)) != n:
            raise ValueError(f"{where} does not count {n} images")
    if data["cohort"]["class_names"] != classes:
        raise ValueError("cohort/class_names differ from the model's")
