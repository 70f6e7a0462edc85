"""Trainings and audits resume, and do not depend on their order."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import torch

from straylight.study.run.cell import Cell
from straylight.study.run.digests import DataDigests
from straylight.study.run.record import CELL_FILE, CELLS
from straylight.study.run.study import run_study
from straylight.study.run.work import WORK_OF_KIND
from studies import (
    cell_rows,
    counts,
    ended,
    in_child,
    quiet,
    tiny,
)

REAL_KILLS = 6


def test_trainings_and_audits_killed_and_resumed(
    world: Path, undisturbed: Path, tmp_path: Path
) -> None:
    study, rng = tmp_path / "study", random.Random(1)
    seconds = sum(row["seconds"] for row in cell_rows(undisturbed))

    def run() -> None:
        run_study("Tiny", lambda digests: tiny(world, digests), study, quiet())

    for _ in range(REAL_KILLS):
        child = in_child(run)
        time.sleep(rng.uniform(0, seconds / 3))
        os.kill(child, signal.SIGKILL)
        ended(child)
    run()
    assert counts(study) == counts(undisturbed)


def test_the_order_of_the_cells_changes_nothing(
    world: Path, undisturbed: Path, tmp_path: Path
) -> None:
    def reversed_audits(digests: DataDigests) -> list[Cell]:
        first, *audits = tiny(world, digests)
        return [first, *audits[::-1]]

    torch.set_num_threads(2)
    run_study("Tiny", reversed_audits, tmp_path / "study", quiet())
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert counts(tmp_path / "study") == counts(undisturbed)


def test_a_killed_training_and_audit_are_taken_as_they_lie(
    world: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Killed after the last file was written, and before the cell was: nothing is run again."""
    shutil.copytree(undisturbed, tmp_path / "study")
    for folder in (tmp_path / "study" / CELLS).iterdir():
        (folder / CELL_FILE).unlink()
        folder.rename(folder.with_name(folder.name + ".partial"))
    times = {
        p.parent.name.partition(".")[0]: p.stat().st_mtime_ns for p in models_and_audits(tmp_path)
    }
    run_study(
        "Tiny", lambda digests: tiny(world, digests), tmp_path / "study", quiet(), work=WORK_OF_KIND
    )
    assert {p.parent.name: p.stat().st_mtime_ns for p in models_and_audits(tmp_path)} == times
    assert counts(tmp_path / "study") == counts(undisturbed)


def models_and_audits(root: Path) -> list[Path]:
    cells = root / "study" / CELLS
    return [*cells.glob("*/audit.json"), *cells.glob("*/model.safetensors")]
