"""One cell runs completely or fails with a reason."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from straylight.audit.schema import Json
from straylight.core.errors import InputError
from straylight.core.progress import Silent, Tracker
from straylight.study.run.cell import Cell
from straylight.study.run.index import INDEX, StudyIndex
from straylight.study.run.runner import run_cell


@pytest.mark.parametrize(
    "fill", [lambda: torch.empty(2**60), lambda: bytearray(2**62)], ids=["torch", "python"]
)
def test_a_cell_without_memory_is_told(tmp_path: Path, fill: Callable[[], object]) -> None:
    def greedy(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        return {"n": 0, "kept": fill()}

    cell = Cell(kind="greedy", identity={})
    outcome = run_cell(cell, tmp_path, greedy, Silent())
    assert outcome.state == "failed"
    assert outcome.error.startswith("it ran out of memory")


def test_a_study_writes_through_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / INDEX).symlink_to(victim)
    with pytest.raises(InputError, match="is not a regular file"):
        StudyIndex(tmp_path / INDEX, write=True)
    cell = Cell(kind="x", identity={})
    partial = tmp_path / "cells" / f"{cell.id}.partial"
    partial.mkdir(parents=True)
    for name in ("lock", "error.txt", "cell.json.partial"):
        (partial / name).symlink_to(victim)
    assert run_cell(cell, tmp_path, lambda *_: {"n": 1}, Silent()).state == "done"
    assert victim.read_text() == "precious"
