"""The protocol of an engine, which runs cells, and the default engine: one by one, in this process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from straylight.core.progress import Tracker
from straylight.study.run.cell import Cell, CellWork
from straylight.study.run.runner import BLOCKED, DONE, Outcome, run_cell


@dataclass(frozen=True)
class PendingCells:
    """The cells that an engine runs, and where.

    Attributes:
        cells: Each comes after those that it needs.
        finished: Ids of the cells that are finished already.
        study: The folder of the study.
        work: The function that runs each kind of cell.
    """

    cells: list[Cell]
    finished: frozenset[str]
    study: Path
    work: dict[str, CellWork]


@runtime_checkable
class Engine(Protocol):
    """Runs cells, each after those that it needs, and yields the outcomes."""

    def __call__(
        self, pending: PendingCells, begin: Callable[[Cell], None], tracker: Tracker
    ) -> Iterator[Outcome]:
        """Run the cells.

        Args:
            pending: The cells, and where.
            begin: Called when a cell starts.
            tracker: Receives progress updates of the running cell.
        """


def run_in_process(
    pending: PendingCells, begin: Callable[[Cell], None], tracker: Tracker
) -> Iterator[Outcome]:
    """Run the cells in order, in this process; see `Engine`."""
    done = set(pending.finished)
    for cell in pending.cells:
        if not done.issuperset(cell.needs):
            yield blocked_outcome(cell)
            continue
        begin(cell)
        threads = torch.get_num_threads()
        outcome = run_cell(cell, pending.study, pending.work[cell.kind], tracker)
        torch.set_num_threads(threads)  # a cell sets its own number
        if outcome.state == DONE:
            done.add(cell.id)
        yield outcome


def blocked_outcome(cell: Cell) -> Outcome:
    """Return the outcome of a cell that cannot run because one that it needs has failed."""
    return Outcome(cell.id, BLOCKED, error="the cell that it needs has failed.")
