"""The published schema: what audits write follows it, and hostile files are refused at once."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from straylight.audit.results import Audit
from straylight.audit.schema import json_schema
from straylight.audit.storage import load_audit
from straylight.core.errors import InputError
from tiny_audits import edit_audit


def test_every_audit_follows_the_published_schema(finished: tuple[Audit, Path]) -> None:
    audit, out = finished
    jsonschema.Draft202012Validator.check_schema(json_schema())
    written = json.loads((out / "audit.json").read_text())
    jsonschema.validate(written, json_schema())
    assert written == json.loads(json.dumps(audit.to_json()))
    assert written["schema"] == "straylight.audit/1"


def vast(data: dict[str, Any]) -> None:
    n = 2 * 10**20
    data["cohort"]["n"] = n
    tables = [data["cohort"]["clean_confusion"]]
    tables += [
        item[part] for item in data["perturbations"] for part in ("confusion", "transitions")
    ]
    for table in tables:
        table[:] = [[n // 2, 0], [0, n // 2]]


def moved(table: list[list[int]]) -> None:
    """Count one image in another row of the same column."""
    row, column = next((i, j) for i in range(2) for j in range(2) if table[i][j])
    table[row][column] -= 1
    table[1 - row][column] += 1


def swapped(table: list[list[int]]) -> None:
    """Count the images of one row in the other columns."""
    row = next(row for row in table if row[0] != row[1])
    row.reverse()


POINT = {"images_seen": 1, "model_passes": 1, "seconds": 1.0, "n_fooled": 1}


NOTE = {"level": "note", "check": "images", "message": "x"}


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "16-skipped": lambda d: d["cohort"].update(skipped=[{"file": "a", "reason": 7}] * 300_000),
    "16-million": lambda d: d["natural"].update(skipped=[{"file": "a", "reason": "b"}] * 1_200_000),
    "16-note": lambda d: d["cohort"].update(note="x" * 50_000_000),
    "16-perturbations": lambda d: d.update(perturbations=d["perturbations"] * 900),
    "16-card": lambda d: d["model"].update(card={str(k): k for k in range(10**5)}),
    "16-rows": lambda d: d["cohort"].update(clean_confusion=[[0.5] * 10**5]),
    "19-counts": vast,
    "19-n": lambda d: d["cohort"].update(n=10**400),
    "19-float": lambda d: d["cohort"].update(n=24.0),
    "19-seconds": lambda d: d["perturbations"][0].update(seconds=10**400),
    "19-seed": lambda d: d["perturbations"][0].update(seed=10**30),
    "19-side": lambda d: d["model"].update(height=60_000, width=60_000),
    "11-curve": lambda d: d["perturbations"][0].update(curve=[POINT] * 200_000),
    "11-preflight": lambda d: d.update(preflight=[NOTE] * 100_000),
    "11-recalls": lambda d: d["perturbations"][0].update(recalls=[0.5] * 10**6),
    "15-margins": lambda d: moved(d["perturbations"][0]["confusion"]),
    "15-starts": lambda d: moved(d["perturbations"][0]["transitions"]),
    "15-ends": lambda d: swapped(d["perturbations"][0]["transitions"]),
    "15-rate": lambda d: d["perturbations"][0].update(fooling_rate=0.123),
    "15-counts": lambda d: d["cohort"]["counts"].update(dark=11),
    "15-accuracy": lambda d: d["cohort"].update(clean_accuracy=0.123),
    "15-distinct": lambda d: d["natural"].update(n_distinct=d["natural"]["n"] + 1),
    "22-line": lambda d: d["perturbations"][0].update(file="perturbations/a.npy\n"),
    "22-digest": lambda d: d["model"].update(sha256="a" * 64 + "\n"),
    "22-absolute": lambda d: d["natural"].update(examples="/etc/passwd"),
    "22-up": lambda d: d["natural"].update(examples="../a.npy"),
    "22-number": lambda d: d["perturbations"][0].update(file=7),
    "22-twins": lambda d: d["model"].update(class_names=["a", "a"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_case_16_19_22_a_hostile_audit_is_refused_at_once(copied: Path, name: str) -> None:
    edit_audit(copied, CHANGES[name])
    started = time.process_time()
    with pytest.raises(InputError) as refused:
        load_audit(copied)
    assert time.process_time() - started < 2
    said = str(refused.value).replace(str(copied), "")
    assert said.isprintable()
    assert len(said) < 400
