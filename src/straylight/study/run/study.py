"""A study: every cell of a grid that is not there yet, run by an engine and entered in the index."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.files import make_folder, make_inner_folder, remove_link
from straylight.study.run.cell import Cell
from straylight.study.run.console import View
from straylight.study.run.digests import Digests
from straylight.study.run.engine import Engine, Todo, in_process
from straylight.study.run.index import INDEX, RUNNING, Index
from straylight.study.run.record import CELLS
from straylight.study.run.runner import FAILED, PARTIAL, Outcome, read_outcome
from straylight.study.run.work import WORK, Work

LOCK = "lock"


def run_study(
    title: str,
    make_cells: Callable[[Digests], list[Cell]],
    study: Path,
    console: Console,
    *,
    engine: Engine = in_process,
    workers: int = 1,
    work: dict[str, Work] | None = None,
) -> Counter[str]:
    """Run a study, or go on with it; finished cells are skipped, failed ones tried again.

    Args:
        title: For the tables.
        make_cells: Returns the cells, given the digests of the data.
        study: Its folder.
        console: Where progress is shown.
        engine: Runs the cells.
        workers: How many it runs at a time, for the time left.
        work: What each kind of cell does.

    Returns:
        How many cells are in each state.

    Raises:
        InputError: If the folder cannot be used, another process runs a study in it, or its disk is
            full.
    """
    make_folder(study)
    with locked(study):
        index = Index(study / INDEX, write=True)
        try:
            cells = make_cells(Digests(index.digests()))
            view = View(console, cells, workers)
            finished = enter(index, title, cells, study, view)
            waiting = [cell for cell in cells if cell.id not in finished]
            todo = Todo(waiting, frozenset(finished), study, work or WORK)

            def begin(cell: Cell) -> None:
                index.mark(cell.id, RUNNING)
                view.begin(cell)

            with view.shown():
                for outcome in engine(todo, begin, view):
                    index.record([outcome])
                    view.end(outcome)
                    if outcome.no_room:
                        raise InputError(
                            f"{study} takes no more ({outcome.error.rstrip('.')}): free some disk and give "
                            "the same command again; what is finished is kept."
                        )
            return Counter(row["state"] for row in index.rows("SELECT state FROM cells"))
        finally:
            index.close()


def enter(index: Index, title: str, cells: list[Cell], study: Path, view: View) -> set[str]:
    """Enter all cells in the index, and what the finished ones found; return those that are finished.

    Raises:
        InputError: If the record of a finished cell is broken.
    """
    for row in index.rows("SELECT name FROM cells WHERE state = ?", RUNNING):
        view.say(f"The last run ended while this ran, and it goes on: {quoted(row['name'], 400)}.")
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
    if broken:  # the others are in the index, for the tables
        raise broken[0]
    view.found([cell for cell in cells if cell.id in finished])
    return finished


class _BusyError(InputError):
    """Another process runs the study."""


@contextmanager
def locked(study: Path) -> Iterator[None]:
    """Hold the study's lock; it dies with its process.

    Raises:
        InputError: If another process holds it, or something that is not a file stands in its place.
    """
    remove_link(study / LOCK)
    lock = FileLock(study / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise _BusyError(
            f"another process runs a study in {study}: wait for it, or give another --out."
        ) from None
    except OSError as error:
        raise InputError(
            f"{study / LOCK} cannot be used as a lock ({reason_of(error)}): delete it, or give another "
            "folder (--out)."
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_running(study: Path) -> bool:
    """Return whether a process runs the study now."""
    try:
        with locked(study):
            return False
    except _BusyError:
        return True
    except (InputError, OSError):
        return False  # a folder that cannot be written to: nothing runs in it
