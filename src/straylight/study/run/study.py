"""Run a study: every unfinished cell of a grid is run by an engine and recorded in the index."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from straylight.core.errors import InputError, quote_text
from straylight.core.files import make_folder, make_inner_folder
from straylight.study.run.cell import Cell, CellWork
from straylight.study.run.console import StudyProgress
from straylight.study.run.digests import DataDigests
from straylight.study.run.engine import Engine, PendingCells, run_in_process
from straylight.study.run.index import INDEX, RUNNING, StudyIndex
from straylight.study.run.lock import lock_study
from straylight.study.run.record import CELLS
from straylight.study.run.runner import FAILED, PARTIAL, Outcome, read_outcome
from straylight.study.run.work import WORK_OF_KIND


def run_study(
    title: str,
    make_cells: Callable[[DataDigests], list[Cell]],
    study: Path,
    console: Console,
    *,
    engine: Engine = run_in_process,
    workers: int = 1,
    work: dict[str, CellWork] | None = None,
) -> Counter[str]:
    """Run or resume a study: finished cells are skipped, failed ones are run again.

    Args:
        title: The title of its tables.
        make_cells: Returns the cells, given the digests of the data.
        study: Its folder.
        console: Where progress is shown.
        engine: Runs the cells.
        workers: How many cells it runs at a time, to estimate the time left.
        work: The function that runs each kind of cell (default: train and audit).

    Returns:
        The number of cells in each state.

    Raises:
        InputError: If the folder cannot be used, if another process runs a study in it, or if its disk
            is full.
    """
    make_folder(study)
    with lock_study(study):
        index = StudyIndex(study / INDEX, write=True)
        try:
            cells = make_cells(DataDigests(index.digests()))
            progress = StudyProgress(console, cells, workers)
            finished = _enter_cells(index, title, cells, study, progress)
            waiting = [cell for cell in cells if cell.id not in finished]
            pending = PendingCells(waiting, frozenset(finished), study, work or WORK_OF_KIND)

            def begin(cell: Cell) -> None:
                index.mark(cell.id, RUNNING)
                progress.begin_cell(cell)

            with progress.display():
                for outcome in engine(pending, begin, progress):
                    index.record([outcome])
                    progress.end_cell(outcome)
                    if outcome.disk_full:
                        raise InputError(
                            f"{study} cannot be written to ({outcome.error.rstrip('.')}): free some disk "
                            "space and give the same command again; finished cells are kept."
                        )
            return Counter(row["state"] for row in index.rows("SELECT state FROM cells"))
        finally:
            index.close()


def _enter_cells(
    index: StudyIndex, title: str, cells: list[Cell], study: Path, progress: StudyProgress
) -> set[str]:
    """Record all cells in the index, with the figures of the finished ones; return the ids of these.

    Raises:
        InputError: If the record of a finished cell is broken.
    """
    for row in index.rows("SELECT name FROM cells WHERE state = ?", RUNNING):
        progress.say(
            f"Resuming after the last run was interrupted: {quote_text(row['name'], 400)}."
        )
    index.begin(title, cells)
    folder = study / CELLS
    make_inner_folder(folder)
    there = {entry.name for entry in os.scandir(folder) if not entry.name.endswith(PARTIAL)}
    finished = {cell.id for cell in cells if cell.id in there}
    outcomes: list[Outcome] = []
    broken: list[InputError] = []
    for cell in cells:
        if cell.id in finished:
            try:
                outcomes.append(read_outcome(study, cell.id))
            except InputError as error:
                broken.append(error)
                outcomes.append(Outcome(cell.id, FAILED, error=str(error)))
    index.record(outcomes)
    if broken:  # the others are in the index now, for the tables
        raise broken[0]
    progress.report_finished([cell for cell in cells if cell.id in finished])
    return finished
