"""What an audit looks like in a terminal, and as JSON for machines."""

import io
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from straylight.audit.results import Audit
from straylight.audit.unfinished import REPORT
from straylight.core.errors import quoted
from straylight.core.progress import say
from straylight.evaluation.metrics import percent
from straylight.report.effort import weak_runs
from straylight.report.verdict import reach_verdict

STDOUT, STDERR = 1, 2


def show(audit: Audit, folder: Path, out: Console, *, as_json: bool) -> None:
    """Print an audit and where its report is."""
    if as_json:
        print_json(out, audit.to_json())
        return
    out.print(summary_table(audit))
    verdict = reach_verdict(audit)
    for warning in weak_runs(audit):
        say(out, f"Warning: {warning}")
    say(
        out,
        f"Verdict: {verdict.word}." + f" {quoted(verdict.reason, 2**10)}" * bool(verdict.reason),
    )
    say(out, f"Report: {folder / REPORT}")


def summary_table(audit: Audit) -> Table:
    """Lay out the attacks, then references, and below them the best control of each kind."""
    budget = audit.budget
    zeta = "" if budget.zeta is None else f"zeta {100 * budget.zeta:g} %, "
    meaning = "at most" if budget.norm == "linf" else "RMS"
    table = Table(
        title=f"{budget.norm}, {zeta}{budget.eps_rms_levels:.1f} grey levels {meaning}; "
        f"{audit.cohort.n} images, clean accuracy {percent(audit.cohort.clean.correct.rate)} %; in %",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in ("", "fooled", "95 % CI", "target", "acc.", "seen as"):
        left = column in ("", "seen as")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    names = audit.model.class_names
    controls = audit.of_role("control")
    kinds = dict.fromkeys(control.method["name"] for control in controls)
    best = [
        max(
            (control for control in controls if control.method["name"] == kind),
            key=lambda control: control.score.fooled.rate,
        )
        for kind in kinds
    ]
    made = [*audit.of_role("attack"), *audit.of_role("reference")]
    for item in [*made, *best]:
        found = item.score
        count = sum(control.method["name"] == item.method["name"] for control in controls)
        name = f"{item.method['name']} (max of {count})" if item.role == "control" else item.name
        name += " (oracle)" * (item.role == "reference")
        target = None if item.target is None else names.index(item.target)
        low, high = found.fooled.ci95
        table.add_row(
            Text(quoted(name)),
            percent(found.fooled.rate),
            f"{100 * low:.0f}-{100 * high:.0f}",
            "" if target is None or item.role == "control" else percent(found.hit(target).rate),
            percent(found.correct.rate),
            Text(f"{quoted(names[found.dominant_class])} {percent(found.dominant.rate, 0)} %"),
            end_section=item is made[-1],
        )
    return table


def print_json(out: Console, data: object) -> None:
    """Print data for machines: no colours, no wrapping."""
    out.file.write(json.dumps(data, indent=1) + "\n")


@contextmanager
def reserved_output() -> Iterator[TextIO]:
    """Yield standard output, and send what else is written there to standard error meanwhile.

    So that JSON stays JSON, whatever a network prints: from Python, or past it from a library in C.
    """
    stdout = sys.stdout
    with redirect_stdout(sys.stderr):
        if not isinstance(stdout, io.TextIOWrapper) or not is_first(stdout):
            yield stdout
            return
        stdout.flush()
        kept = os.dup(STDOUT)
        with suppress(OSError):  # standard error may be closed
            os.dup2(STDERR, STDOUT)
        try:
            with open(kept, "w", encoding=stdout.encoding, closefd=False) as file:
                yield file
        finally:
            stdout.flush()
            os.dup2(kept, STDOUT)
            os.close(kept)


def is_first(stream: io.TextIOWrapper) -> bool:
    """Check whether a stream is the standard output of the process, and not one put in its place."""
    try:
        return stream.fileno() == STDOUT
    except (OSError, ValueError):
        return False


def command_line() -> str:
    """Return the command as typed."""
    return quoted(shlex.join(["straylight", *sys.argv[1:]]), 2**16)[: 2**16]
