"""Tables of the report: counts formatted for the template."""

import json
from collections import Counter
from dataclasses import dataclass

from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.audit.schema import Json
from straylight.core.conventions import LEVELS
from straylight.evaluation.metrics import Matrix, Proportion, format_percent

DASH = "\N{EN DASH}"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ResultRow:
    """One row of the table of results: a perturbation."""

    name: str
    threat_model: str
    target: str
    rate: str
    interval: str
    hits: str
    ceiling: str
    raw: str
    accuracy: str
    dominant: str
    dominant_share: str
    reached: str
    reached_interval: str
    reached_from_elsewhere: str
    l2: str
    linf_levels: str
    images_seen: str
    passes: str
    seconds: str


@dataclass(frozen=True)
class CountCell:
    """One count of a confusion matrix; `weight` is its share of the row, for shading."""

    count: str
    weight: str
    diagonal: bool


@dataclass(frozen=True)
class ConfusionTable:
    """A confusion matrix: one line for each true class."""

    caption: str
    class_names: tuple[str, ...]
    lines: tuple[tuple[str, tuple[CountCell, ...]], ...]


@dataclass(frozen=True)
class RecallRow:
    """The recall of one class, without and with the perturbation."""

    class_name: str
    n: str
    before: str
    under: str
    under_interval: str


def isolate_direction(name: str) -> str:
    """Return a name in isolation marks, so that right-to-left text cannot reorder its surroundings.

    >>> isolate_direction("skin")
    'skin'
    >>> ascii(isolate_direction("\u05d0"))
    "'\\\\u2068\\\\u05d0\\\\u2069'"
    """
    return name if name.isascii() else f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"


def format_proportion(proportion: Proportion) -> str:
    """Format a proportion in per cent; a dash for an empty sample.

    >>> format_proportion(Proportion(1, 2)).split(), format_proportion(Proportion(0, 0)) == DASH
    (['50.0', '%'], True)
    """
    return format_percent(proportion.rate) + NO_BREAK_SPACE + "%" if proportion.n else DASH


def format_interval(proportion: Proportion) -> str:
    """Format the 95 % interval of a proportion in per cent.

    >>> format_interval(Proportion(5, 10)).split(DASH)[0]
    '23.7'
    """
    low, high = map(format_percent, proportion.ci95)
    return f"{low}{DASH}{high}{NO_BREAK_SPACE}%"


def format_count(n: int) -> str:
    """Format a whole number.

    >>> format_count(12345)
    '12,345'
    """
    return f"{n:,}"


def format_hits(proportion: Proportion) -> str:
    """Format a proportion as counts.

    >>> format_hits(Proportion(3, 1000))
    '3 of 1,000'
    """
    return f"{format_count(proportion.hits)} of {format_count(proportion.n)}"


def _format_seconds(seconds: float) -> str:
    """Format a wall time in seconds.

    >>> _format_seconds(0.001), _format_seconds(0.0), _format_seconds(1234.56)
    ('<0.1', '0', '1,234.6')
    """
    if 0 < seconds < 0.1:
        return "<0.1"
    return f"{seconds:,.1f}" if seconds else "0"


def format_quantity(n: int, noun: str) -> str:
    """Format a number with its noun.

    >>> format_quantity(1, "attack"), format_quantity(2, "attack")
    ('1 attack', '2 attacks')
    """
    return f"{format_count(n)} {noun}" + ("" if n == 1 else "s")


def flatten_settings(data: Json) -> Pairs:
    """Return settings as pairs of name and text; nested values as JSON."""
    return tuple(
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in data.items()
    )


def make_result_row(item: Perturbation, label: str, class_names: tuple[str, ...]) -> ResultRow:
    """Return the row of a perturbation."""
    score = item.score
    goal = None if item.target is None else class_names.index(item.target)
    nothing = Proportion(0, 0)
    reached = nothing if goal is None else score.hit(goal)
    return ResultRow(
        name=label,
        threat_model=item.threat_model,
        target=DASH if item.target is None else item.target,
        rate=format_proportion(score.fooled),
        interval=format_interval(score.fooled),
        hits=format_hits(score.fooled),
        ceiling=format_proportion(score.ceiling),
        raw=format_proportion(score.fooled_raw),
        accuracy=format_proportion(score.correct),
        dominant=class_names[score.dominant_class],
        dominant_share=format_proportion(score.dominant),
        reached=format_proportion(reached),
        reached_interval="" if goal is None else format_interval(reached),
        reached_from_elsewhere=format_proportion(
            nothing if goal is None else score.hit_from_elsewhere(goal)
        ),
        l2=f"{item.l2:.3g}",
        linf_levels=f"{item.linf * LEVELS:.1f}",
        images_seen=format_count(item.images_seen),
        passes=format_count(item.n_forward + item.n_backward),
        seconds=_format_seconds(item.seconds),
    )


def label_strongest_controls(audit: Audit) -> list[tuple[str, Perturbation]]:
    """Return the strongest control of each kind, with a label."""
    counts = Counter(item.method.name for item in audit.of_role("control"))
    labelled = []
    for item in audit.strongest_controls():
        kind, n = item.method.name, counts[item.method.name]
        labelled.append((f"{kind}, largest of {n}" if n > 1 else item.name, item))
    return labelled


def make_confusion_table(
    caption: str, counts: Matrix, class_names: tuple[str, ...]
) -> ConfusionTable:
    """Return a confusion matrix as a table: rows are true classes, columns predictions."""
    lines = []
    for i, row in enumerate(counts):
        cells = tuple(
            CountCell(format_count(count), f"{Proportion(count, sum(row)).rate:.3f}", i == j)
            for j, count in enumerate(row)
        )
        lines.append((class_names[i], cells))
    return ConfusionTable(caption, class_names, tuple(lines))


def make_recall_rows(
    before: list[Proportion], under: list[Proportion], class_names: tuple[str, ...]
) -> tuple[RecallRow, ...]:
    """Return the recall of each class without and with a perturbation."""
    return tuple(
        RecallRow(
            name,
            format_count(old.n),
            format_proportion(old),
            format_proportion(new),
            format_interval(new) if new.n else DASH,
        )
        for name, old, new in zip(class_names, before, under, strict=True)
    )
