"""Progress of a study on a terminal and in a log."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from straylight.audit.schema import Json
from straylight.core.progress import Tracker
from straylight.study.run.cell import Cell
from straylight.study.run.console import StudyProgress
from straylight.study.run.study import run_study
from studies import chain, chains


def test_progress_on_a_terminal_and_in_a_log(tmp_path: Path) -> None:
    def weak(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        if cell.identity["start"] == 4:
            raise RuntimeError("no such luck")
        return chain(cell, folder, study, tracker)

    seen = {}
    for terminal in (True, False):
        stream = StringIO()
        console = Console(file=stream, force_terminal=terminal, width=160)
        study = tmp_path / str(terminal)
        run_study("Chains", lambda _: chains(6), study, console, work={"chain": weak})
        seen[terminal] = stream.getvalue()
    for text in seen.values():
        assert "failed: chain c4 seed 4: RuntimeError: no such luck" in text
    assert "5 of 6 cells done, 1 failed" in seen[True]
    assert "chain c0 seed 0: chain" in seen[True]
    lines = seen[False].splitlines()
    assert lines[0].startswith("1 of 6 cells done, ")
    assert "left: chain c0 seed 0, " in lines[0]
    assert lines[-1].startswith("5 of 6 cells done, 1 failed: chain c5 seed 5, ")


def test_a_study_names_its_cells_once() -> None:
    stream = StringIO()
    cells = [
        Cell(
            kind="audit",
            identity={"n": n},
            labels={"cohort": "skin", "model": f"m{n // 2}", "seed": n},
        )
        for n in range(4)
    ]
    view = StudyProgress(Console(file=stream, width=200), cells, 1)
    for cell in cells:
        view.running = {cell.id: cell}
        view.say("preflight, warning: weak.")
    assert stream.getvalue().splitlines() == [
        "skin m0: preflight, warning: weak.",
        "skin m1: preflight, warning: weak.",
    ]
