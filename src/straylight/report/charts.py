"""Chart geometry, shared by the report of an audit and the report of a study; the templates draw it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.evaluation.metrics import Proportion
from straylight.report.tables import (
    format_count,
    format_interval,
    format_proportion,
    label_strongest_controls,
)

ROW_HEIGHT = 48
LABEL_LENGTH = 34

Point = tuple[float, float]


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart: a rate with its interval. Positions are in per cent of the width.

    Attributes:
        role: ``attack``, ``reference`` or ``control``; it sets the colour.
        top: Distance from the top of the chart, in pixels.
        low, width: The interval.
        ceiling: The rate if every image were sent to one class, if shown.
        noise: The rate of the strongest random control, if it is drawn in the same row.
        text, interval: The rate and its interval in words.
    """

    label: str
    role: str
    top: int
    rate: str
    low: str
    width: str
    text: str
    interval: str = ""
    ceiling: str | None = None
    noise: str | None = None


@dataclass(frozen=True)
class BarChart:
    """Rates with their intervals, one below the other.

    Attributes:
        description: The same in words, for screen readers.
    """

    bars: tuple[Bar, ...]
    description: str
    name: str = ""

    @property
    def height(self) -> int:
        """Height in pixels, without the axis below."""
        return len(self.bars) * ROW_HEIGHT


@dataclass(frozen=True)
class Curve:
    """A rate against a number of photographs. Points are in a box of 100 x 100, y downwards.

    Attributes:
        text: The points in words.
        noise: The strongest random control at the same numbers, if it is drawn too.
    """

    name: str
    points: tuple[Point, ...]
    text: str
    noise: tuple[Point, ...] = ()


class LogScale:
    """The horizontal axis of several curves: numbers of photographs on one logarithmic scale.

    >>> LogScale([10, 1000]).point(100, 25.0)
    (50.0, 75.0)
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        logs = [self._log(n) for n in numbers]
        self._low = min(logs)
        self._span = max(max(logs) - self._low, 1e-9)

    @staticmethod
    def _log(n: int) -> float:
        return math.log(max(1, n))

    def point(self, n: int, percent: float) -> Point:
        """Return the position of a rate, given in per cent, at a number of photographs."""
        x = 100 * (self._log(n) - self._low) / self._span
        return round(x, 2), round(100 - percent, 2)


def format_position(rate: float) -> str:
    """Format a rate as a position across a chart.

    >>> format_position(0.25)
    '25.00%'
    """
    return f"{100 * rate:.2f}%"


def draw_audit_chart(audit: Audit) -> BarChart:
    """Draw every attack and oracle, and the strongest control of each kind."""
    named = [(item.name, item) for item in (*audit.of_role("attack"), *audit.of_role("reference"))]
    named += label_strongest_controls(audit)
    bars = tuple(_draw_bar(item, label, row) for row, (label, item) in enumerate(named))
    words = (
        f"{label}: {bar.text} ({bar.interval})" for (label, _), bar in zip(named, bars, strict=True)
    )
    return BarChart(bars, "; ".join(words))


def _draw_bar(item: Perturbation, label: str, row: int) -> Bar:
    """Draw one perturbation; a control has no ceiling."""
    fooled = item.score.fooled
    low, high = fooled.ci95
    if len(label) > LABEL_LENGTH:
        label = label[: LABEL_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return Bar(
        label=label,
        role=item.role,
        top=row * ROW_HEIGHT,
        rate=format_position(fooled.rate),
        low=format_position(low),
        width=format_position(high - low),
        text=format_proportion(fooled),
        interval=format_interval(fooled),
        ceiling=None if item.role == "control" else format_position(item.score.ceiling.rate),
    )


def draw_attack_curves(audit: Audit) -> tuple[Curve, ...]:
    """Draw the curve of each attack that was also scored on its way."""
    items = [item for item in audit.perturbations if item.curve]
    if not items:
        return ()
    scale = LogScale(point.images_seen for item in items for point in item.curve)
    return tuple(
        Curve(
            item.name,
            tuple(
                scale.point(point.images_seen, 100 * point.n_fooled / item.score.n)
                for point in item.curve
            ),
            ", ".join(
                f"{format_proportion(Proportion(point.n_fooled, item.score.n))} at "
                f"{format_count(point.images_seen)}"
                for point in item.curve
            ),
        )
        for item in items
    )
