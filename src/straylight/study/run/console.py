"""How a study stands while it runs: cells done, running, failed, and the time left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from straylight.core.progress import say
from straylight.study.run.cell import Cell
from straylight.study.run.runner import DONE, Outcome

CLASSIFIER = ("cohort", "model", "initialisation")  # labels of what preflight looks at


class View:
    """A tracker that also follows the cells: two lines on a terminal, a line a cell in a log.

    Args:
        console: Where to print.
        cells: All of the study.
        workers: How many run at a time.
    """

    def __init__(self, console: Console, cells: list[Cell], workers: int) -> None:
        self.console, self.workers = console, workers
        self.cells = {cell.id: cell for cell in cells}
        self.running: dict[str, Cell] = {}
        self.counts: dict[str, int] = {}
        self.ahead = sum(
            cell.cost.seconds for cell in cells
        )  # expected of those that have not ended
        self.began, self.planned, self.spent, self.fresh = time.monotonic(), 0.0, 0.0, 0
        self.bars: Progress | None = None
        self.told: set[tuple[str, ...]] = set()

    def found(self, cells: list[Cell]) -> None:
        """Tell which cells were there already."""
        self.counts[DONE] = len(cells)
        self.ahead -= sum(cell.cost.seconds for cell in cells)
        if cells:
            self.write(f"{len(cells)} of {len(self.cells)} cells are there already.")

    def begin(self, cell: Cell) -> None:
        """Tell that a cell runs."""
        self.running[cell.id] = cell
        self.draw()

    def end(self, outcome: Outcome) -> None:
        """Tell how a cell ended."""
        cell = self.cells[outcome.id]
        self.running.pop(outcome.id, None)
        self.counts[outcome.state] = self.counts.get(outcome.state, 0) + 1
        self.planned += cell.cost.seconds
        self.ahead -= cell.cost.seconds
        self.spent += outcome.seconds
        self.fresh += 1
        if outcome.error:
            self.write(f"{outcome.state}: {cell.name}: {outcome.error}", style="red")
        elif self.bars is None:
            self.write(f"{self.standing()}: {cell.name}, {outcome.seconds:.0f} s")
        self.draw()

    def standing(self) -> str:
        """Say how the study stands.

        Cells are weighed by what they were expected to take, where the file says it.
        """
        ended = sum(self.counts.values())
        parts = [f"{self.counts.get(DONE, 0)} of {len(self.cells)} cells done"]
        parts += [f"{n} {state}" for state, n in self.counts.items() if state != DONE]
        parts += [f"{len(self.running)} running"] if self.running else []
        if self.fresh and ended < len(self.cells):
            parts.append(f"{span(self.left())} left")
        return ", ".join(parts)

    def left(self) -> float:
        """Estimate the seconds that are left."""
        if self.planned:
            return max(0.0, self.ahead * self.spent / self.planned / self.workers)
        ended = sum(self.counts.values())
        return (time.monotonic() - self.began) / self.fresh * (len(self.cells) - ended)

    def say(self, line: str) -> None:
        """Tell what the running cell must be known by, once for all seeds and budgets of its classifier."""
        cell = next(iter(self.running.values()), None)
        if cell is None:
            self.write(line)
            return
        parts = [str(cell.labels[key]) for key in CLASSIFIER if key in cell.labels]
        if (*parts, line) not in self.told:
            self.told.add((*parts, line))
            self.write(f"{' '.join(parts) or cell.name}: {line}")

    def write(self, line: str, style: str = "") -> None:
        """Print a line, above the bars if there are any."""
        console = self.console if self.bars is None else self.bars.console
        say(console, line, style)

    def draw(self) -> None:
        """Show the first line anew."""
        if self.bars is not None:
            ended = sum(self.counts.values())
            self.bars.update(self.study, completed=ended, description=self.standing())

    def start(self, title: str, total: int) -> None:
        """Begin a piece of work of the running cell."""
        if self.bars is not None:
            cell = next(iter(self.running.values()), None)
            name = title if cell is None else f"{cell.name}: {title}"
            self.bars.reset(self.piece, total=total, description=name, visible=True)

    def advance(self, units: int, note: str = "") -> None:
        """Tell that a piece of work has gone on."""
        if self.bars is not None:
            self.bars.update(self.piece, advance=units)

    @contextmanager
    def shown(self) -> Iterator["View"]:
        """Show the view while the context is open."""
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
            self.piece = self.bars.add_task("", total=1, visible=False)
            yield self


def span(seconds: float) -> str:
    """Write a time.

    >>> span(42.0), span(600.0), span(2e4), span(5e5)
    ('42 s', '10 min', '5.6 h', '5.8 days')
    """
    for least, unit, name in ((172_800, 86_400, "days"), (5400, 3600, "h"), (120, 60, "min")):
        if seconds >= least:
            digits = 0 if name == "min" else 1
            return f"{seconds / unit:.{digits}f} {name}"
    return f"{seconds:.0f} s"
