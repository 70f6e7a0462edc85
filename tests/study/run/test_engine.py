"""The default engine: cells one by one, each after those that it needs."""

from pathlib import Path

import torch

from straylight.audit.schema import Json
from straylight.core.progress import Silent, Tracker
from straylight.study.run.cell import Cell
from straylight.study.run.engine import PendingCells, run_in_process
from straylight.study.run.record import CELLS
from straylight.study.run.status import read_study_status
from studies import chain, chains, figures, start


def test_a_cell_that_raises_stops_only_what_needs_it(tmp_path: Path) -> None:
    def fail(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        if cell.identity["start"] == 3 and not (tmp_path / "mended").exists():
            raise RuntimeError("no such luck")
        return chain(cell, folder, study, tracker)

    cells = chains(9)
    assert start(tmp_path / "study", cells, fail) == {"done": 6, "failed": 1, "blocked": 2}
    status = read_study_status(tmp_path / "study")
    assert status.failed == [("chain c3 seed 3", "RuntimeError: no such luck")]
    trace = tmp_path / "study" / CELLS / f"{cells[3].id}.partial" / "error.txt"
    assert "no such luck" in trace.read_text()
    (tmp_path / "mended").touch()
    assert start(tmp_path / "study", cells, fail) == {"done": 9}
    start(tmp_path / "other", cells)
    assert figures(tmp_path / "study") == figures(tmp_path / "other")


def test_cells_run_in_order_with_their_own_threads(tmp_path: Path) -> None:
    """The first is finished already, the fourth fails, and what needs it is not begun."""
    begun, threads = [], torch.get_num_threads()

    def work(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        torch.set_num_threads(threads + 1)
        if cell.identity["start"] == 3:
            raise RuntimeError("no such luck")
        return {"n": cell.identity["start"]}

    first, *cells = chains(6)
    pending = PendingCells(cells, frozenset([first.id]), tmp_path, {"chain": work})
    found = []
    for outcome in run_in_process(pending, begun.append, Silent()):
        assert torch.get_num_threads() == threads
        found.append((outcome.id, outcome.state, outcome.figures.get("n")))
    assert begun == cells[:3]
    states = [("done", 1), ("done", 2), ("failed", None), ("blocked", None), ("blocked", None)]
    assert found == [(cell.id, *state) for cell, state in zip(cells, states, strict=True)]
