"""The geometry of the study's charts, which the template draws."""

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from straylight.report.figures import across
from straylight.study.report.aggregate import PARTS, Row
from straylight.study.report.tables import value_of, varying, written

ROW_HEIGHT = 48
PANEL = ("cohort", "norm", "zeta", "eps_levels")


@dataclass(frozen=True)
class Bar:
    """One row of the tables. Positions across are in per cent of the width."""

    label: str
    role: str
    top: int
    rate: str
    low: str
    width: str
    noise: str
    ceiling: str | None
    text: str


@dataclass(frozen=True)
class Panel:
    """The attacks on one cohort at one budget."""

    name: str
    bars: tuple[Bar, ...]
    height: int
    description: str


@dataclass(frozen=True)
class Curve:
    """A rate against the number of photographs. Points are in a box of 100 x 100, downwards."""

    name: str
    points: tuple[tuple[float, float], ...]
    noise: tuple[tuple[float, float], ...]
    text: str


def draw_panels(rows: list[Row]) -> tuple[Panel, ...]:
    """Place all rows, a panel for each cohort and budget."""
    apart = [part for part in varying(rows) if part not in PANEL] if rows else []
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.part.get(part) for part in PANEL)].append(row)
    return tuple(panel(some, apart) for some in groups.values())


def panel(rows: list[Row], apart: list[str]) -> Panel:
    """Place the rows of one panel."""
    bars = tuple(place(row, label_of(row, apart), n * ROW_HEIGHT) for n, row in enumerate(rows))
    words = "; ".join(f"{bar.label}: {bar.text}" for bar in bars)
    name = ", ".join(
        value_of(rows[0], part) for part in PANEL if rows[0].part.get(part) is not None
    )
    return Panel(name, bars, len(bars) * ROW_HEIGHT, words)


def label_of(row: Row, apart: list[str]) -> str:
    """Name a row by what tells it from its neighbours."""
    units = {"photographs": " photographs"}
    parts = [
        value_of(row, part) + units.get(part, "")
        for part in apart
        if row.part.get(part) is not None
    ]
    goal = "" if row.target is None else f" to {row.target}"
    return ", ".join([*parts, row.attack + goal])


def place(row: Row, label: str, top: int) -> Bar:
    """Place one row."""
    return Bar(
        label=label,
        role="reference" if row.threat_model == "oracle" else "attack",
        top=top,
        rate=across(row.rate.rate),
        low=across(row.rate.low),
        width=across(row.rate.high - row.rate.low),
        noise=across(row.noise.rate),
        ceiling=None if row.ceiling is None else across(row.ceiling.rate),
        text=f"{written(row.rate)} %",
    )


def draw_curves(rows: list[Row]) -> tuple[Curve, ...]:
    """Place what was made from several numbers of photographs; these run on a log scale."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        key = [row.part.get(part) for part in PARTS if part != "photographs"]
        groups[(*key, row.attack, row.target)].append(row)
    several = [some for some in groups.values() if len(some) > 1]
    if not several:
        return ()
    numbers = [math.log(row.part["photographs"]) for some in several for row in some]
    low, span = min(numbers), max(max(numbers) - min(numbers), 1e-9)
    apart = [part for part in varying(rows) if part != "photographs"]

    def point(row: Row, rate: float) -> tuple[float, float]:
        x = (math.log(row.part["photographs"]) - low) / span
        return round(100 * x, 2), round(100 - 100 * rate, 2)

    found = []
    for some in several:
        ordered = sorted(some, key=lambda row: row.part["photographs"])
        texts = [f"{written(row.rate)} % from {value_of(row, 'photographs')}" for row in ordered]
        found.append(
            Curve(
                label_of(ordered[0], apart),
                tuple(point(row, row.rate.rate) for row in ordered),
                tuple(point(row, row.noise.rate) for row in ordered),
                ", ".join(texts),
            )
        )
    return tuple(found)
