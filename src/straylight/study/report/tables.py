"""The tables of a study, as Markdown, LaTeX or CSV."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from straylight.evaluation.metrics import percent
from straylight.study.report.aggregate import PARTS, Row, read_rows
from straylight.study.report.statistics import NAMED, Estimate

Format = Literal["markdown", "csv", "latex"]
Lines = list[list[str]]
WORDS = {"eps_levels": "eps", "initialisation": "start"}


def write_tables(study: Path, form: Format) -> str:
    """Write the tables of a study.

    Raises:
        InputError: If the folder holds no study.
    """
    title, rows = read_rows(study)
    if form == "csv":
        return tidy(rows)
    heading: Callable[[str], str] = (
        "## {}".format if form == "markdown" else r"\section*{{{}}}".format
    )
    write, clean = (markdown, str) if form == "markdown" else (latex, escape)
    parts = [heading(clean(title)), clean(said_once(rows)), clean(NAMED)]
    for name, some in split(rows):
        parts += [clean(name), write(table(some, rows))]
    return "\n\n".join(filter(None, parts)) + "\n"


def split(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    """Return the rows of non-targeted attacks and those of targeted ones, each with a heading."""
    found = [
        (
            "Non-targeted: images whose prediction changes, in %.",
            [row for row in rows if row.target is None],
        ),
        (
            "Targeted: of the images that were not in the class already, those brought to it, in %.",
            [row for row in rows if row.target is not None],
        ),
    ]
    return [(name, some) for name, some in found if some]


def said_once(rows: list[Row]) -> str:
    """Say what is the same in all rows, which need no column for it."""
    if not rows:
        return "No audit is finished yet."
    same = [part for part in PARTS if part in rows[0].part and part not in varying(rows)]
    return (
        "All: " + ", ".join(f"{part} {value_of(rows[0], part)}" for part in same) + "."
        if same
        else ""
    )


def varying(rows: list[Row]) -> list[str]:
    """Name the axes that differ between rows."""
    return [part for part in PARTS if len({row.part.get(part) for row in rows}) > 1]


def value_of(row: Row, part: str) -> str:
    """Write the value of an axis."""
    value = row.part.get(part)
    if value is None:
        return ""
    if part == "zeta":
        return f"{100 * value:g} %"
    if part == "eps_levels":
        return f"{value:g}/255"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(some: list[Row], rows: list[Row]) -> Lines:
    """Lay out rows, the head first."""
    parts = varying(rows)
    targeted = some[0].target is not None
    head = [WORDS.get(part, part) for part in parts] + ["attack", "threat"]
    head += ["target"] if targeted else []
    head += ["seeds", "accuracy", "noise", "spectrum copy", "rate"]
    head += [] if targeted else ["ceiling"]
    lines = [[*head, "p (Holm)"]]
    for row in some:
        line = [value_of(row, part) for part in parts] + [row.attack, row.threat_model]
        line += [row.target or ""] if targeted else []
        line += [str(row.rate.n_seeds)]
        rates = (row.accuracy, row.noise, row.copy, row.rate)
        line += ["" if found is None else written(found) for found in rates]
        line += [] if row.ceiling is None else [percent(row.ceiling.rate)]
        lines.append([*line, probability(row.holm)])
    return lines


def written(found: Estimate) -> str:
    """Write a rate in % with its interval.

    >>> written(Estimate(0.5, 0.4, 0.61, 3))
    '50.0 (40-61)'
    """
    return f"{percent(found.rate)} ({100 * found.low:.0f}-{100 * found.high:.0f})"


def probability(p: float) -> str:
    """Write a p-value.

    >>> probability(0.00001), probability(0.0123), probability(1.0)
    ('<0.001', '0.012', '1')
    """
    return "<0.001" if p < 0.001 else "1" if p == 1 else f"{p:.3f}"


def markdown(lines: Lines) -> str:
    """Write lines as a Markdown table."""
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]])


def latex(lines: Lines) -> str:
    """Write lines as a LaTeX table (booktabs)."""
    head, *rows = (" & ".join(map(escape, line)) + r" \\" for line in lines)
    columns = "l" * len(lines[0])
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *rows]
    return "\n".join([*body, r"\bottomrule", r"\end{tabular}"])


def escape(text: str) -> str:
    """Write a text so that LaTeX prints it as it is.

    >>> escape("50 % of a_b")
    '50 \\\\% of a\\\\_b'
    """
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {mark: "\\" + mark for mark in "&%$#_{}"}
    special |= {"<": "$<$", ">": "$>$", "±": r"$\pm$", "\N{GREEK SMALL LETTER ZETA}": r"$\zeta$"}
    return "".join(special.get(mark, mark) for mark in text)


def tidy(rows: list[Row]) -> str:
    """Write all rows as one CSV table: rates in [0, 1], an interval beside each."""
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
            found: Estimate | None = getattr(row, rate)
            line += ["", "", ""] if found is None else [found.rate, found.low, found.high]
        writer.writerow([*line, row.p, row.holm, row.n_controls, " ".join(row.cells)])
    return stream.getvalue()
