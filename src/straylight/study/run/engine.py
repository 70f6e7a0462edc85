"""The embedded engine: the cells one after the other, in this process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from straylight.core.progress import Tracker
from straylight.study.run.cell import Cell
from straylight.study.run.runner import BLOCKED, DONE, Outcome, run_cell
from straylight.study.run.work import Work


@dataclass(frozen=True)
class Todo:
    """What is to be run.

    Attributes:
        cells: Each stands after those that it needs.
        finished: The ids of those that are there already.
        study: The folder of the study.
        work: What each kind of cell does.
    """

    cells: list[Cell]
    finished: frozenset[str]
    study: Path
    work: dict[str, Work]


@runtime_checkable
class Engine(Protocol):
    """Runs cells, each after those that it needs, and yields how each ended."""

    def __call__(
        self, todo: Todo, begin: Callable[[Cell], None], tracker: Tracker
    ) -> Iterator[Outcome]:
        """Run the cells.

        Args:
            todo: The cells, and where.
            begin: Is told when a cell begins.
            tracker: Is told how the running cell goes on.
        """


def in_process(todo: Todo, begin: Callable[[Cell], None], tracker: Tracker) -> Iterator[Outcome]:
    """Run the cells in order; see `Engine`."""
    done = set(todo.finished)
    for cell in todo.cells:
        if not done.issuperset(cell.needs):
            yield blocked(cell)
            continue
        begin(cell)
        threads = torch.get_num_threads()
        outcome = run_cell(cell, todo.study, todo.work[cell.kind], tracker)
        torch.set_num_threads(threads)  # a cell sets its own
        if outcome.state == DONE:
            done.add(cell.id)
        yield outcome


def blocked(cell: Cell) -> Outcome:
    """Say that a cell could not be run since one that it needs has failed."""
    return Outcome(cell.id, BLOCKED, error="the cell that it needs has failed.")
