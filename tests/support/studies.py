"""Small worlds and cheap cells for the tests of studies."""

import json
import time
from io import StringIO
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from straylight.audit.schema import Json
from straylight.core.files import write_text
from straylight.core.progress import Tracker
from straylight.study.run.cell import Cell
from straylight.study.run.index import INDEX, Index

STEPS = 5


def quiet() -> Console:
    return Console(file=StringIO(), width=200)


def chain(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
    """Multiply and add in steps, each of them kept, from what the needed cells found."""
    path = folder / "state.json"
    if path.exists():
        state = json.loads(path.read_text())
    else:
        state = {"step": 0, "value": cell.identity["start"]}
        for name in cell.needs:
            state["value"] += json.loads((study / "cells" / name / "state.json").read_text())[
                "value"
            ]
    tracker.start("chain", STEPS)
    while state["step"] < STEPS:
        state = {"step": state["step"] + 1, "value": (state["value"] * 31 + 7) % 1_000_003}
        write_text(path, json.dumps(state))
        tracker.advance(1)
        time.sleep(0.001)
    return {"n": state["value"]}


def chains(n: int, kind: str = "chain") -> list[Cell]:
    """Make cells of which every third is needed by the two after it."""
    cells: list[Cell] = []
    for number in range(n):
        needs = () if number % 3 == 0 else (cells[number - number % 3].id,)
        identity = {"start": number, "needs": needs}
        labels = {"cohort": f"c{number}", "seed": number}
        cells.append(Cell(kind=kind, identity=identity, labels=labels, needs=needs))
    return cells


def figures(study: Path) -> dict[str, int]:
    """Return what every finished cell found, by its id, from the index."""
    index = Index(study / INDEX)
    rows = index.rows("SELECT id, n FROM cells WHERE state = 'done'")
    index.close()
    return {row["id"]: row["n"] for row in rows}


def counts(study: Path) -> list[tuple[object, ...]]:
    """Return everything that was counted and measured in a study of audits, but for times."""
    columns = "name, attack, n, n_fooled, n_fooled_raw, n_correct, n_moved, passes, l2, linf"
    index = Index(study / INDEX)
    rows = index.rows(f"SELECT cell, {columns} FROM perturbations ORDER BY cell, name")
    index.close()
    return [tuple(row.values()) for row in rows]


def make_world(root: Path) -> Path:
    """Draw two classes of small images that differ in brightness, and photographs; write a study."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 8), ("test", 10)):
        for label, level in (("dark", 90), ("light", 150)):
            folder = root / "medical" / part / label
            folder.mkdir(parents=True)
            for number in range(n):
                pixels = rng.integers(level - 40, level + 40, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    (root / "photos").mkdir()
    for number in range(8):
        pixels = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "photos" / f"{number}.png")
    (root / "tiny.toml").write_text(TINY.replace("ROOT", str(root)))
    return root


TINY = """title = "A tiny study"

[variables]
root = "ROOT"

[training]
epochs = 1
batch_size = 8
learning_rate = 0.1

[cohorts.levels]
train = "${root}/medical/train"
test = "${root}/medical/test"
classes = ["dark", "light"]
targets = ["light"]
n_train = 16
n_test = 20

[models.small]
size = 32
training = { backbone = "test_resnet", weights = "none" }
throughput = { training = 100, attack = 200, sequential = 50, adapting = 50, scoring = 600 }

[sources.photos]
natural = "${root}/photos"

[[audits]]
cohort = "levels"
model = "small"
source = "photos"
photographs = [4, 8]
norm = "linf"
zeta = 0.3
seed = [0, 1]
methods = ["gradient:steps=2"]
targets = "cohort"
control_seeds = 1
exclude = [{ photographs = 4, seed = 1 }]
"""
