"""Charts of a study: fooling rates by cohort and budget, and against the number of photographs."""

from collections import defaultdict
from typing import Any

from straylight.report.charts import (
    ROW_HEIGHT,
    Bar,
    BarChart,
    Curve,
    LogScale,
    format_position,
)
from straylight.study.report.aggregate import PARTS, AggregateRow
from straylight.study.report.tables import format_axis_value, format_estimate, list_varying_axes

PANEL = ("cohort", "norm", "zeta", "eps_levels")  # axes with a chart for each combination


def draw_panels(rows: list[AggregateRow]) -> tuple[BarChart, ...]:
    """Draw all rows, in one chart for each cohort and budget."""
    apart = [part for part in list_varying_axes(rows) if part not in PANEL] if rows else []
    groups: dict[tuple[Any, ...], list[AggregateRow]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.part.get(part) for part in PANEL)].append(row)
    return tuple(_draw_panel(some, apart) for some in groups.values())


def _draw_panel(rows: list[AggregateRow], apart: list[str]) -> BarChart:
    """Draw the rows of one cohort and budget."""
    bars = tuple(_draw_bar_with_noise(row, _label_row(row, apart), n) for n, row in enumerate(rows))
    words = "; ".join(f"{bar.label}: {bar.text}" for bar in bars)
    name = ", ".join(
        format_axis_value(rows[0], part) for part in PANEL if rows[0].part.get(part) is not None
    )
    return BarChart(bars, words, name)


def _label_row(row: AggregateRow, apart: list[str]) -> str:
    """Return a label with what distinguishes a row from the others: axes, attack and target."""
    units = {"photographs": " photographs"}
    parts = [
        format_axis_value(row, part) + units.get(part, "")
        for part in apart
        if row.part.get(part) is not None
    ]
    goal = "" if row.target is None else f" to {row.target}"
    return ", ".join([*parts, row.attack + goal])


def _draw_bar_with_noise(row: AggregateRow, label: str, position: int) -> Bar:
    """Draw one row, with the strongest random control beside it."""
    return Bar(
        label=label,
        role="reference" if row.threat_model == "oracle" else "attack",
        top=position * ROW_HEIGHT,
        rate=format_position(row.rate.rate),
        low=format_position(row.rate.low),
        width=format_position(row.rate.high - row.rate.low),
        text=f"{format_estimate(row.rate)} %",
        ceiling=None if row.ceiling is None else format_position(row.ceiling.rate),
        noise=format_position(row.noise.rate),
    )


def draw_photograph_curves(rows: list[AggregateRow]) -> tuple[Curve, ...]:
    """Draw a curve for each attack that was made from several numbers of photographs."""
    groups: dict[tuple[Any, ...], list[AggregateRow]] = defaultdict(list)
    for row in rows:
        key = [row.part.get(part) for part in PARTS if part != "photographs"]
        groups[(*key, row.attack, row.target)].append(row)
    several = [some for some in groups.values() if len(some) > 1]
    if not several:
        return ()
    scale = LogScale(row.part["photographs"] for some in several for row in some)
    apart = [part for part in list_varying_axes(rows) if part != "photographs"]
    curves = []
    for some in several:
        ordered = sorted(some, key=lambda row: row.part["photographs"])
        points = [(row.part["photographs"], row) for row in ordered]
        texts = [
            f"{format_estimate(row.rate)} % from {format_axis_value(row, 'photographs')}"
            for row in ordered
        ]
        curves.append(
            Curve(
                _label_row(ordered[0], apart),
                tuple(scale.point(n, 100 * row.rate.rate) for n, row in points),
                ", ".join(texts),
                noise=tuple(scale.point(n, 100 * row.noise.rate) for n, row in points),
            )
        )
    return tuple(curves)
