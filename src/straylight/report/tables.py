"""Tables of the report: counts in words, ready for the template."""

import json
from dataclasses import dataclass

from straylight.audit.results import Perturbation
from straylight.audit.schema import Json
from straylight.core.tensors import LEVELS
from straylight.evaluation.metrics import Matrix, Proportion, percent

NONE = "\N{EN DASH}"
GAP = "\N{NO-BREAK SPACE}"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """One perturbation in the table of results."""

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
class Cell:
    """One count of a confusion matrix; `weight` is its share of the row, for the shade."""

    count: str
    weight: str
    diagonal: bool


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix: one named line for each true class."""

    caption: str
    class_names: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class Recall:
    """Share of a class that is found, without and with the perturbation."""

    class_name: str
    n: str
    before: str
    under: str
    under_interval: str


def isolated(name: str) -> str:
    """Keep a name that may run from right to left from moving the words around it.

    >>> isolated("skin"), isolated("\u05d0").encode("unicode_escape").decode()
    ('skin', '\\\\u2068\\\\u05d0\\\\u2069')
    """
    return name if name.isascii() else f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"


def share(found: Proportion) -> str:
    """Write a proportion in per cent; a dash for an empty sample.

    >>> share(Proportion(1, 2)).split(), share(Proportion(0, 0)) == NONE
    (['50.0', '%'], True)
    """
    return percent(found.rate) + GAP + "%" if found.n else NONE


def interval(found: Proportion) -> str:
    """Write the 95 % interval of a proportion in per cent.

    >>> interval(Proportion(5, 10)).split(NONE)[0]
    '23.7'
    """
    low, high = map(percent, found.ci95)
    return f"{low}{NONE}{high}{GAP}%"


def number(n: int) -> str:
    """Write a whole number.

    >>> number(12345)
    '12,345'
    """
    return f"{n:,}"


def of(found: Proportion) -> str:
    """Write a proportion in counts.

    >>> of(Proportion(3, 1000))
    '3 of 1,000'
    """
    return f"{number(found.hits)} of {number(found.n)}"


def duration(seconds: float) -> str:
    """Write a wall time in seconds.

    >>> duration(0.001), duration(0.0), duration(1234.56)
    ('<0.1', '0', '1,234.6')
    """
    if 0 < seconds < 0.1:
        return "<0.1"
    return f"{seconds:,.1f}" if seconds else "0"


def counted(n: int, noun: str) -> str:
    """Write a number of things.

    >>> counted(1, "attack"), counted(2, "attack")
    ('1 attack', '2 attacks')
    """
    return f"{number(n)} {noun}" + ("" if n == 1 else "s")


def flatten(data: Json) -> Pairs:
    """Write plain data as names and values."""
    return tuple(
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in data.items()
    )


def make_row(item: Perturbation, label: str, class_names: tuple[str, ...]) -> Row:
    """Write one perturbation's line."""
    score = item.score
    goal = None if item.target is None else class_names.index(item.target)
    nothing = Proportion(0, 0)
    reached = nothing if goal is None else score.hit(goal)
    return Row(
        name=label,
        threat_model=item.threat_model,
        target=NONE if item.target is None else item.target,
        rate=share(score.fooled),
        interval=interval(score.fooled),
        hits=of(score.fooled),
        ceiling=share(score.ceiling),
        raw=share(score.fooled_raw),
        accuracy=share(score.correct),
        dominant=class_names[score.dominant_class],
        dominant_share=share(score.dominant),
        reached=share(reached),
        reached_interval="" if goal is None else interval(reached),
        reached_from_elsewhere=share(nothing if goal is None else score.hit_from_elsewhere(goal)),
        l2=f"{item.l2:.3g}",
        linf_levels=f"{item.linf * LEVELS:.1f}",
        images_seen=number(item.images_seen),
        passes=number(item.n_forward + item.n_backward),
        seconds=duration(item.seconds),
    )


def best_of_each_kind(controls: list[Perturbation]) -> list[tuple[str, Perturbation]]:
    """Return, for each kind of control, the one of the largest fooling rate, with a label."""
    kinds = dict.fromkeys(item.method["name"] for item in controls)
    best = []
    for kind in kinds:
        members = [item for item in controls if item.method["name"] == kind]
        label = f"{kind}, largest of {len(members)}" if len(members) > 1 else members[0].name
        best.append((label, max(members, key=lambda item: item.score.fooled.rate)))
    return best


def make_confusion(caption: str, counts: Matrix, class_names: tuple[str, ...]) -> Confusion:
    """Write a confusion matrix: rows are true classes, columns predictions."""
    lines = []
    for i, row in enumerate(counts):
        cells = tuple(
            Cell(number(count), f"{Proportion(count, sum(row)).rate:.3f}", i == j)
            for j, count in enumerate(row)
        )
        lines.append((class_names[i], cells))
    return Confusion(caption, class_names, tuple(lines))


def make_recalls(
    before: list[Proportion], under: list[Proportion], class_names: tuple[str, ...]
) -> tuple[Recall, ...]:
    """Write the recall of each class without and with a perturbation."""
    return tuple(
        Recall(name, number(old.n), share(old), share(new), interval(new) if new.n else NONE)
        for name, old, new in zip(class_names, before, under, strict=True)
    )
