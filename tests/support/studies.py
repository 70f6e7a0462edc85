"""Small worlds and cheap cells for the tests of studies."""

import json
import os
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from straylight.audit.schema import Json
from straylight.core.errors import InputError
from straylight.core.files import write_text
from straylight.core.progress import Tracker
from straylight.study.config.grid import Grid
from straylight.study.config.toml import TomlDocument
from straylight.study.run.cell import Cell, CellWork
from straylight.study.run.cells import make_cells
from straylight.study.run.digests import DataDigests
from straylight.study.run.index import INDEX, StudyIndex
from straylight.study.run.study import run_study

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
    index = StudyIndex(study / INDEX)
    rows = index.rows("SELECT id, n FROM cells WHERE state = 'done'")
    index.close()
    return {row["id"]: row["n"] for row in rows}


def counts(study: Path) -> list[tuple[object, ...]]:
    """Return everything that was counted and measured in a study of audits, but for times."""
    columns = "name, attack, n, n_fooled, n_fooled_raw, n_correct, n_moved, passes, l2, linf"
    index = StudyIndex(study / INDEX)
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


def read_grid(tmp_path: Path, text: str, **variables: str) -> Grid:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return Grid(TomlDocument(path, variables))


def named_cells(grid: Grid) -> list[Cell]:
    """Cells whose data are known by name only."""
    return make_cells(grid, lambda spec, _: spec)


def start(
    study: Path, cells: list[Cell], work: CellWork = chain, **more: CellWork
) -> dict[str, int]:
    """Run a study of cheap cells; return how many cells are in each state."""
    return dict(run_study("Chains", lambda _: cells, study, quiet(), work={"chain": work, **more}))


def in_child(run: Callable[[], object]) -> int:
    """Run something in a process of its own: 3 if it was refused, 0 if it ended well."""
    child = os.fork()
    if child:
        return child
    code = 1
    with Path(os.environ.get("TOLD", os.devnull)).open("w") as told:
        try:
            run()
            code = 0
        except InputError as error:
            told.write(str(error))
            told.flush()
            code = 3
        finally:
            os._exit(code)


def ended(child: int) -> int:
    """Wait for a process: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tiny(world: Path, digests: DataDigests) -> list[Cell]:
    return make_cells(Grid(TomlDocument(world / "tiny.toml")), digests.compute)


def cell_rows(study: Path) -> list[Json]:
    index = StudyIndex(study / INDEX)
    rows = index.rows("SELECT * FROM cells ORDER BY position")
    index.close()
    return rows


def check_refused(read: Callable[[], object], path: Path) -> str:
    started = time.process_time()
    with pytest.raises(InputError) as refused:
        read()
    assert time.process_time() - started < 2
    said = str(refused.value)
    assert said.startswith(str(path))
    assert said.isprintable()
    assert len(said) < 400 + len(str(path))
    return said
