"""The tables of a study as Markdown, LaTeX or CSV."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from straylight.evaluation.metrics import format_percent
from straylight.study.report.aggregate import PARTS, AggregateRow, read_aggregate_rows
from straylight.study.report.statistics import METHODS_NOTE, Estimate

TableFormat = Literal["markdown", "csv", "latex"]
Lines = list[list[str]]
WORDS = {"eps_levels": "eps", "initialisation": "start"}


def format_tables(study: Path, form: TableFormat) -> str:
    """Return the tables of a study as text.

    Raises:
        InputError: If the folder does not hold a study.
    """
    title, rows = read_aggregate_rows(study)
    if form == "csv":
        return _format_csv(rows)
    heading: Callable[[str], str] = (
        "## {}".format if form == "markdown" else r"\section*{{{}}}".format
    )
    write, clean = (_format_markdown, str) if form == "markdown" else (_format_latex, _escape_latex)
    parts = [heading(clean(title)), clean(describe_common_axes(rows)), clean(METHODS_NOTE)]
    for name, some in split_by_goal(rows):
        parts += [clean(name), write(lay_out_rows(some, rows))]
    return "\n\n".join(filter(None, parts)) + "\n"


def split_by_goal(rows: list[AggregateRow]) -> list[tuple[str, list[AggregateRow]]]:
    """Split rows into non-targeted and targeted attacks, each with a heading."""
    parts = [
        (
            "Non-targeted: images whose prediction changes, in %.",
            [row for row in rows if row.target is None],
        ),
        (
            "Targeted: images sent to the target, of those not predicted as it without an attack, in %.",
            [row for row in rows if row.target is not None],
        ),
    ]
    return [(name, some) for name, some in parts if some]


def describe_common_axes(rows: list[AggregateRow]) -> str:
    """Describe the axes that have the same value in all rows, and need no column."""
    if not rows:
        return "No audit is finished yet."
    same = [part for part in PARTS if part in rows[0].part and part not in list_varying_axes(rows)]
    return (
        "All: " + ", ".join(f"{part} {format_axis_value(rows[0], part)}" for part in same) + "."
        if same
        else ""
    )


def list_varying_axes(rows: list[AggregateRow]) -> list[str]:
    """List the axes whose values differ between rows."""
    return [part for part in PARTS if len({row.part.get(part) for row in rows}) > 1]


def format_axis_value(row: AggregateRow, part: str) -> str:
    """Format the value of an axis."""
    value = row.part.get(part)
    if value is None:
        return ""
    if part == "zeta":
        return f"{100 * value:g} %"
    if part == "eps_levels":
        return f"{value:g}/255"
    return f"{value:,}" if isinstance(value, int) else str(value)


def lay_out_rows(some: list[AggregateRow], rows: list[AggregateRow]) -> Lines:
    """Lay out some of the rows as lines of cells, the header first."""
    parts = list_varying_axes(rows)
    targeted = some[0].target is not None
    head = [WORDS.get(part, part) for part in parts] + ["attack", "threat"]
    head += ["target"] if targeted else []
    head += ["seeds", "accuracy", "noise", "spectrum copy", "rate"]
    head += [] if targeted else ["ceiling"]
    lines = [[*head, "p (Holm)"]]
    for row in some:
        line = [format_axis_value(row, part) for part in parts] + [row.attack, row.threat_model]
        line += [row.target or ""] if targeted else []
        line += [str(row.rate.n_seeds)]
        rates = (row.accuracy, row.noise, row.copy, row.rate)
        line += ["" if estimate is None else format_estimate(estimate) for estimate in rates]
        line += [] if row.ceiling is None else [format_percent(row.ceiling.rate)]
        lines.append([*line, _format_p_value(row.holm)])
    return lines


def format_estimate(estimate: Estimate) -> str:
    """Format a rate in per cent with its interval.

    >>> format_estimate(Estimate(0.5, 0.4, 0.61, 3))
    '50.0 (40-61)'
    """
    return f"{format_percent(estimate.rate)} ({100 * estimate.low:.0f}-{100 * estimate.high:.0f})"


def _format_p_value(p: float) -> str:
    """Format a p-value.

    >>> [_format_p_value(p) for p in (0.00001, 0.0123, 1.0)]
    ['<0.001', '0.012', '1']
    """
    return "<0.001" if p < 0.001 else "1" if p == 1 else f"{p:.3f}"


def _format_markdown(lines: Lines) -> str:
    """Format lines as a Markdown table."""
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]])


def _format_latex(lines: Lines) -> str:
    """Format lines as a LaTeX table (booktabs)."""
    head, *rows = (" & ".join(map(_escape_latex, line)) + r" \\" for line in lines)
    columns = "l" * len(lines[0])
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *rows]
    return "\n".join([*body, r"\bottomrule", r"\end{tabular}"])


def _escape_latex(text: str) -> str:
    """Escape a text for LaTeX.

    >>> _escape_latex("50 % of a_b")
    '50 \\\\% of a\\\\_b'
    """
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {mark: "\\" + mark for mark in "&%$#_{}"}
    special |= {"<": "$<$", ">": "$>$", "±": r"$\pm$", "\N{GREEK SMALL LETTER ZETA}": r"$\zeta$"}
    return "".join(special.get(mark, mark) for mark in text)


def _format_csv(rows: list[AggregateRow]) -> str:
    """Format all rows as one tidy CSV table: rates in [0, 1], each with its interval."""
    stream = io.StringIO()
    rates = ("accuracy", "rate", "noise", "copy", "ceiling")
    bounds = [f"{rate}{end}" for rate in rates for end in ("", "_low", "_high")]
    head = [*PARTS, "attack", "threat_model", "target", "n_seeds", "n_images", *bounds]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*head, "p", "p_holm", "n_controls", "cells"])
    for row in rows:
        line = [row.part.get(part, "") for part in PARTS]
        line += [row.attack, row.threat_model, row.target or "", row.rate.n_seeds, row.n_images]
        for rate in rates:
            estimate: Estimate | None = getattr(row, rate)
            line += (
                ["", "", ""] if estimate is None else [estimate.rate, estimate.low, estimate.high]
            )
        writer.writerow([*line, row.p, row.holm, row.n_controls, " ".join(row.cells)])
    return stream.getvalue()
