"""Progress of a study on a console: cells done, running and failed, and the time left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from straylight.core.progress import print_plain
from straylight.study.config.cost import format_duration
from straylight.study.run.cell import Cell
from straylight.study.run.runner import DONE, Outcome

CLASSIFIER = (
    "cohort",
    "model",
    "initialisation",
)  # labels that identify the classifier, which preflight checks


class StudyProgress:
    """A tracker that also follows the cells: two lines on a terminal, one line per cell in a log.

    Args:
        console: Where to print.
        cells: All cells of the study.
        workers: How many cells run at a time.
    """

    def __init__(self, console: Console, cells: list[Cell], workers: int) -> None:
        self.console, self.workers = console, workers
        self.cells = {cell.id: cell for cell in cells}
        self.running: dict[str, Cell] = {}
        self.counts: dict[str, int] = {}
        self.expected = sum(
            cell.cost.seconds for cell in cells
        )  # expected of the cells that have not ended
        self.began, self.planned, self.spent, self.fresh = time.monotonic(), 0.0, 0.0, 0
        self.bars: Progress | None = None
        self.reported: set[tuple[str, ...]] = set()

    def report_finished(self, cells: list[Cell]) -> None:
        """Report the cells that were finished before this run."""
        self.counts[DONE] = len(cells)
        self.expected -= sum(cell.cost.seconds for cell in cells)
        if cells:
            self.write(f"{len(cells)} of {len(self.cells)} cells are finished already.")

    def begin_cell(self, cell: Cell) -> None:
        """Report that a cell has started."""
        self.running[cell.id] = cell
        self.redraw()

    def end_cell(self, outcome: Outcome) -> None:
        """Report the outcome of a cell."""
        cell = self.cells[outcome.id]
        self.running.pop(outcome.id, None)
        self.counts[outcome.state] = self.counts.get(outcome.state, 0) + 1
        self.planned += cell.cost.seconds
        self.expected -= cell.cost.seconds
        self.spent += outcome.seconds
        self.fresh += 1
        if outcome.error:
            self.write(f"{outcome.state}: {cell.name}: {outcome.error}", style="red")
        elif self.bars is None:
            self.write(f"{self.describe_state()}: {cell.name}, {outcome.seconds:.0f} s")
        self.redraw()

    def describe_state(self) -> str:
        """Return the number of cells in each state, and the time left."""
        ended = sum(self.counts.values())
        parts = [f"{self.counts.get(DONE, 0)} of {len(self.cells)} cells done"]
        parts += [f"{n} {state}" for state, n in self.counts.items() if state != DONE]
        parts += [f"{len(self.running)} running"] if self.running else []
        if self.fresh and ended < len(self.cells):
            parts.append(f"{format_duration(self.estimate_seconds_left())} left")
        return ", ".join(parts)

    def estimate_seconds_left(self) -> float:
        """Estimate the time left, from the expected times of the cells where the file states them."""
        if self.planned:
            return max(0.0, self.expected * self.spent / self.planned / self.workers)
        ended = sum(self.counts.values())
        return (time.monotonic() - self.began) / self.fresh * (len(self.cells) - ended)

    def say(self, line: str) -> None:
        """Report a line about the running cell, once for all seeds and budgets of its classifier."""
        cell = next(iter(self.running.values()), None)
        if cell is None:
            self.write(line)
            return
        parts = [str(cell.labels[key]) for key in CLASSIFIER if key in cell.labels]
        if (*parts, line) not in self.reported:
            self.reported.add((*parts, line))
            self.write(f"{' '.join(parts) or cell.name}: {line}")

    def write(self, line: str, style: str = "") -> None:
        """Print a line, above the bars if there are any."""
        console = self.console if self.bars is None else self.bars.console
        print_plain(console, line, style)

    def redraw(self) -> None:
        """Update the first line."""
        if self.bars is not None:
            ended = sum(self.counts.values())
            self.bars.update(self.study, completed=ended, description=self.describe_state())

    def start(self, title: str, total: int) -> None:
        """Start a task of the running cell."""
        if self.bars is not None:
            cell = next(iter(self.running.values()), None)
            name = title if cell is None else f"{cell.name}: {title}"
            self.bars.reset(self.task, total=total, description=name, visible=True)

    def advance(self, units: int, note: str = "") -> None:
        """Report progress of the task."""
        if self.bars is not None:
            self.bars.update(self.task, advance=units)

    @contextmanager
    def display(self) -> Iterator["StudyProgress"]:
        """Show the progress while the context is open."""
        if not self.console.is_terminal:
            yield self
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as self.bars:
            self.study = self.bars.add_task("", total=len(self.cells))
            self.task = self.bars.add_task("", total=1, visible=False)
            yield self
