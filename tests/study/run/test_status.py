"""The status of a study, from its index alone."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from straylight.study.config.cost import CellCost
from straylight.study.run.cell import Cell
from straylight.study.run.index import INDEX, StudyIndex
from straylight.study.run.runner import Outcome
from straylight.study.run.status import read_study_status


def test_a_strange_index_prints_no_escapes(undisturbed: Path, tmp_path: Path) -> None:
    shutil.copy(undisturbed / INDEX, tmp_path / INDEX)
    base = sqlite3.connect(tmp_path / INDEX)
    base.execute("UPDATE cells SET state = 'failed', name = ?, error = ?", ("a\x1b[2J", "b\x07"))
    base.execute("UPDATE study SET value = 'c\x1b]0;'")
    base.commit()
    base.close()
    assert all(line.isprintable() for line in read_study_status(tmp_path).lines())


def test_the_time_left_is_what_is_planned_at_the_pace_of_finished_cells(tmp_path: Path) -> None:
    """10 and 20 seconds were planned and took 15 and 45, which is 2 for 1; 400 are still planned."""
    index = StudyIndex(tmp_path / INDEX, write=True)
    cells = [
        Cell(kind="audit", identity={"k": k}, labels={"cohort": f"c{k}"}, cost=CellCost(1, seconds))
        for k, seconds in enumerate((10.0, 20.0, 100.0, 300.0))
    ]
    index.begin("By hand", cells)
    index.record([Outcome(cells[0].id, "done", 15.0)])
    assert read_study_status(tmp_path).seconds_left == pytest.approx(1.5 * 420)
    index.record([Outcome(cells[1].id, "done", 45.0)])
    index.close()
    status = read_study_status(tmp_path)
    assert (status.counts, status.seconds) == ({"done": 2, "waiting": 2}, 60.0)
    assert status.seconds_left == pytest.approx(2 * 400)
    assert status.lines() == [
        "By hand: not running; 4 cells: 2 done, 2 waiting.",
        "Finished cells took 60 s of one worker, about 13 min left.",
    ]
