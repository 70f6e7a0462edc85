"""The rows of a study's tables: one for each attack of each part of the grid, over its seeds."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from straylight.audit.schema import Json
from straylight.core.errors import InputError, quoted, reason_of
from straylight.evaluation.metrics import Proportion
from straylight.study.config.matrix import AXES
from straylight.study.report.statistics import Estimate, holm, mcnemar, over_seeds
from straylight.study.run.figures import (
    ANY,
    COUNT,
    LONGEST,
    PAIRS,
    PERTURBATIONS,
    TEXT,
    check_columns,
    check_perturbation,
)
from straylight.study.run.index import INDEX, Index

SEEDS = ("seed", "training_seed")
PARTS = tuple(axis for axis in AXES if axis not in SEEDS)
NOISES = ("random-sphere", "random-sign")
COPY = "phase-randomised"
USED = {  # of a perturbation's columns
    name: PERTURBATIONS[name]
    for name in PERTURBATIONS
    if name in {"name", "attack", "threat_model", "target"}
    or name in {"n", "n_fooled", "n_ceiling", "n_elsewhere", "n_moved"}
}


@dataclass(frozen=True)
class Row:
    """One attack in one part of the grid.

    Attributes:
        part: Values of the axes but the seeds.
        attack: As it is written in a method: its name, source and settings.
        threat_model: Of the attack; ``oracle`` is an upper bound.
        target: Class, or None.
        n_images: Of the cohort.
        accuracy: Without an attack.
        rate: Fooling rate; of a targeted attack, its success over the images not there already.
        ceiling: What sending every image to one class would fool; None of a targeted attack.
        noise: The same rate of the strongest random control of each seed.
        copy: The same rate of the copy of the attack's spectrum; None of an oracle, which has none.
        p: Of the test against the random controls; `holm` is corrected over the study's rows.
        n_controls: Random controls that it was tested against, over all seeds.
        cells: The audits.
    """

    part: dict[str, Any]
    attack: str
    threat_model: str
    target: str | None
    n_images: int
    accuracy: Estimate
    rate: Estimate
    ceiling: Estimate | None
    noise: Estimate
    copy: Estimate | None
    p: float
    holm: float
    n_controls: int
    cells: tuple[str, ...]


def read_rows(study: Path) -> tuple[str, list[Row]]:
    """Read a study's title and rows from its index; unfinished cells are not in them.

    Raises:
        InputError: If the folder holds no study.
    """
    index = Index(study / INDEX)
    try:
        return index.title, summarised(*read_tables(index))
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        raise index.broken(reason_of(error)) from error
    finally:
        index.close()


Pairs = dict[tuple[str, str], list[Json]]


def read_tables(index: Index) -> tuple[list[Json], Pairs]:
    """Read the attacks, and the pairs of each with its controls, checked.

    Raises:
        ValueError: If a value is not one that a study writes.
    """
    attacks = index.rows(
        f"SELECT {', '.join(AXES)}, cells.n_correct AS n_clean, p.* FROM cells "
        "JOIN perturbations AS p ON p.cell = cells.id WHERE p.role != 'control' "
        "ORDER BY position, p.rowid"
    )
    attacks = [printable(item) for item in attacks]
    n_images: dict[tuple[str, str], int] = {}
    for item in attacks:
        check_columns(item, {"n_clean": COUNT, "attack": TEXT} | dict.fromkeys(AXES, ANY))
        check_perturbation(item, USED)
        n_images[item["cell"], item["name"]] = item["n"]
        if item["n_clean"] > item["n"]:
            raise ValueError(f"its n_correct exceeds its {item['n']} images")
    pairs: Pairs = defaultdict(list)
    for pair in map(printable, index.rows("SELECT * FROM pairs")):
        check_columns(pair, PAIRS)
        moved = max(pair["only_attack"] + pair["only_control"], pair["n_control"])
        if moved > n_images.get((pair["cell"], pair["attack"]), moved):
            raise ValueError("a pair counts more images than there are")
        pairs[pair["cell"], pair["attack"]].append(pair)
    return attacks, pairs


def printable(row: Json) -> Json:
    """Return a row whose texts can be printed on any terminal."""
    return {
        name: quoted(value, LONGEST) if isinstance(value, str) else value
        for name, value in row.items()
    }


def summarised(attacks: list[Json], pairs: Pairs) -> list[Row]:
    """Summarise each attack of each part of the grid, with p-values corrected over all of them."""
    groups: dict[tuple[Any, ...], dict[tuple[Any, ...], Json]] = defaultdict(dict)
    for item in attacks:
        group = groups[(*(item[part] for part in PARTS), item["attack"], item["target"])]
        group.setdefault(tuple(item[seed] for seed in SEEDS), item)  # each seed counts once
    rows = [make_row(list(items.values()), pairs) for items in groups.values()]
    corrected = holm([row.p for row in rows])
    return [replace(row, holm=p) for row, p in zip(rows, corrected, strict=True)]


def make_row(items: list[Json], pairs: Pairs) -> Row:
    """Summarise one attack over its seeds."""
    first = items[0]
    target = first["target"]
    base, hits = ("n", "n_fooled") if target is None else ("n_elsewhere", "n_moved")
    controls = [pairs[item["cell"], item["name"]] for item in items]
    noises = [[pair for pair in found if pair["kind"] in NOISES] for found in controls]
    copies = [[pair for pair in found if pair["kind"] == COPY] for found in controls]

    def strongest(found: list[list[Json]]) -> Estimate:
        return over_seeds(
            [
                Proportion(max(pair["n_control"] for pair in some), item[base])
                for some, item in zip(found, items, strict=True)
            ]
        )

    tested = [pair for found in noises for pair in found]
    ceilings = [Proportion(item["n_ceiling"], item["n"]) for item in items]
    return Row(
        part={part: first[part] for part in PARTS if first[part] is not None},
        attack=first["attack"],
        threat_model=first["threat_model"],
        target=target,
        n_images=first["n"],
        accuracy=over_seeds([Proportion(item["n_clean"], item["n"]) for item in items]),
        rate=over_seeds([Proportion(item[hits], item[base]) for item in items]),
        ceiling=over_seeds(ceilings) if target is None else None,
        noise=strongest(noises),
        copy=strongest(copies) if all(copies) else None,
        p=max(mcnemar(pair["only_attack"], pair["only_control"]) for pair in tested),
        holm=1.0,
        n_controls=len(tested),
        cells=tuple(item["cell"] for item in items),
    )
