"""Progress: bars on a terminal, a line now and then in a log, silence in a library."""

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from straylight.core.errors import printable

P = ParamSpec("P")
R = TypeVar("R")
ISOLATES = dict.fromkeys((0x2068, 0x2069))  # which a page needs around names, and a terminal shows


@runtime_checkable
class Tracker(Protocol):
    """What long work tells of itself."""

    def start(self, title: str, total: int) -> None:
        """Begin a piece of work of `total` units."""

    def advance(self, units: int, note: str = "") -> None:
        """Tell that `units` more are done, and how things stand in a word or two."""

    def say(self, line: str) -> None:
        """Tell something that the user must know before the work is done."""


class Silent:
    """A tracker that says nothing."""

    def start(self, title: str, total: int) -> None: ...

    def advance(self, units: int, note: str = "") -> None: ...

    def say(self, line: str) -> None: ...


class Bars:
    """A tracker that draws one bar for each piece of work, with the time left."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def start(self, title: str, total: int) -> None:
        self.task = self.progress.add_task(printable(title), total=total, note="")

    def advance(self, units: int, note: str = "") -> None:
        self.progress.update(self.task, advance=units, note=printable(note))

    def say(self, line: str) -> None:
        say(self.progress.console, line)


class Lines:
    """A tracker that prints a line at every quarter of a piece of work."""

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
            say(self.console, line.rstrip())

    def say(self, line: str) -> None:
        say(self.console, line)


def can_draw(console: Console) -> bool:
    """Return whether bars can be drawn: on a terminal, or in a notebook that has widgets."""
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None and find_spec("IPython") is not None
    return console.is_terminal


def say(console: Console, text: str, style: str = "") -> None:
    """Print lines for a reader, whatever names they hold: no markup, nothing that a terminal obeys."""
    plain = text.translate(ISOLATES)
    lines = "\n".join(map(printable, plain.split("\n")))
    console.print(lines, style=style or None, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(console: Console) -> Iterator[Tracker]:
    """Show progress on `console` while the context is open."""
    if not can_draw(console):
        # Rich would draw each line of a notebook as a table of its own.
        yield Lines(Console(stderr=True, force_jupyter=False) if console.is_jupyter else console)
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
        yield Bars(display)


def shown(work: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that takes a `tracker`: without one, its progress is shown on stderr."""

    parameters = inspect.signature(work)

    @functools.wraps(work)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = parameters.bind(*args, **kwargs)
        if given.arguments.get("tracker") is not None:
            return work(*args, **kwargs)
        with progress(Console(stderr=True)) as tracker:
            given.arguments["tracker"] = tracker
            return work(*given.args, **given.kwargs)

    return call
