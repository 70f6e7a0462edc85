"""Progress of long tasks: bars on a terminal, occasional lines in a log, nothing in a library."""

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from straylight.core.errors import ISOLATES, escape_unprintable

P = ParamSpec("P")
R = TypeVar("R")


@runtime_checkable
class Tracker(Protocol):
    """Receives progress updates from a long-running task."""

    def start(self, title: str, total: int) -> None:
        """Start a task of `total` units."""

    def advance(self, units: int, note: str = "") -> None:
        """Report that `units` more are done, with a short status note."""

    def say(self, line: str) -> None:
        """Report something that the user should know before the task is finished."""


class Silent:
    """A tracker that discards all updates."""

    def start(self, title: str, total: int) -> None: ...

    def advance(self, units: int, note: str = "") -> None: ...

    def say(self, line: str) -> None: ...


class ProgressBars:
    """A tracker that draws one progress bar per task, with the time left."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def start(self, title: str, total: int) -> None:
        self.task = self.progress.add_task(escape_unprintable(title), total=total, note="")

    def advance(self, units: int, note: str = "") -> None:
        self.progress.update(self.task, advance=units, note=escape_unprintable(note))

    def say(self, line: str) -> None:
        print_plain(self.progress.console, line)


class ProgressLines:
    """A tracker that prints a line at every quarter of a task."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def start(self, title: str, total: int) -> None:
        self.title, self.total, self.done, self.began = title, total, 0, time.monotonic()

    def advance(self, units: int, note: str = "") -> None:
        quarter = 4 * self.done // max(self.total, 1)
        self.done += units
        if 4 * self.done // max(self.total, 1) > quarter:
            seconds = time.monotonic() - self.began
            left = seconds * (self.total - self.done) / max(self.done, 1)
            share = 100 * self.done // max(self.total, 1)
            line = f"{self.title}: {share} %, {seconds:.0f} s, {left:.0f} s left {note}"
            print_plain(self.console, line.rstrip())

    def say(self, line: str) -> None:
        print_plain(self.console, line)


def _can_draw_bars(console: Console) -> bool:
    """Return whether progress bars can be drawn: on a terminal, or in a notebook with widgets."""
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None and find_spec("IPython") is not None
    return console.is_terminal


def print_plain(console: Console, text: str, style: str = "") -> None:
    """Print text that may quote untrusted names: without markup and with control characters escaped."""
    plain = text.translate(ISOLATES)
    lines = "\n".join(map(escape_unprintable, plain.split("\n")))
    console.print(lines, style=style or None, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def show_progress(console: Console) -> Iterator[Tracker]:
    """Show progress on `console` while the context is open."""
    if not _can_draw_bars(console):
        # In a notebook, Rich would draw each line as a separate table.
        yield ProgressLines(
            Console(stderr=True, force_jupyter=False) if console.is_jupyter else console
        )
        return
    columns = (
        TextColumn("{task.description:<34}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console) as display:
        yield ProgressBars(display)


def with_progress(work: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that takes a `tracker`, to show progress on stderr if none is given."""

    parameters = inspect.signature(work)

    @functools.wraps(work)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = parameters.bind(*args, **kwargs)
        if given.arguments.get("tracker") is not None:
            return work(*args, **kwargs)
        with show_progress(Console(stderr=True)) as tracker:
            given.arguments["tracker"] = tracker
            return work(*given.args, **given.kwargs)

    return call
