"""Aggregate a study over its seeds: one row for each attack in each part of the grid."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from straylight.attacks.catalogue import ControlKind, control_kind
from straylight.audit.schema import Json
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.evaluation.metrics import Proportion
from straylight.study.config.matrix import AXES
from straylight.study.report.statistics import (
    Estimate,
    average_over_seeds,
    holm_correction,
    mcnemar_p_value,
)
from straylight.study.run.index import INDEX, StudyIndex
from straylight.study.run.index_columns import (
    ANY,
    COUNT,
    LONGEST,
    PAIRS,
    PERTURBATIONS,
    TEXT,
    check_columns,
    check_perturbation_row,
)

SEEDS = ("seed", "training_seed")
PARTS = tuple(axis for axis in AXES if axis not in SEEDS)
KINDS: tuple[ControlKind, ControlKind] = ("noise", "spectrum")
USED = {  # of a perturbation's columns
    name: PERTURBATIONS[name]
    for name in PERTURBATIONS
    if name in {"name", "attack", "threat_model", "target"}
    or name in {"n", "n_fooled", "n_ceiling", "n_elsewhere", "n_moved"}
}


@dataclass(frozen=True)
class AggregateRow:
    """One attack in one part of the grid, over its seeds.

    Attributes:
        part: Values of the axes, apart from the seeds.
        attack: Name, source and settings, as in ``methods`` of the file.
        threat_model: Of the attack; ``oracle`` is an upper bound.
        target: Class, or None.
        n_images: Number of images in the cohort.
        accuracy: Without an attack.
        rate: Fooling rate; for a targeted attack, its success on the images that are not predicted as
            the target anyway.
        ceiling: The fooling rate if every image were sent to one class; None for a targeted attack.
        noise: The same rate for the strongest random control of each seed.
        copy: The same rate for the copy of the attack's spectrum; None for an oracle, which has none.
        p: P-value of the test against the random controls; `holm` is corrected over all rows.
        n_controls: Number of random controls in the test, over all seeds.
        cells: Ids of the audits.
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


def read_aggregate_rows(study: Path) -> tuple[str, list[AggregateRow]]:
    """Read the title and the rows of a study from its index, without unfinished cells.

    Raises:
        InputError: If the folder does not hold a study.
    """
    index = StudyIndex(study / INDEX)
    try:
        return index.title, aggregate_rows(*_read_tables(index))
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        raise index.broken(reason_of(error)) from error
    finally:
        index.close()


PairsByAttack = dict[tuple[str, str], list[Json]]


def _read_tables(index: StudyIndex) -> tuple[list[Json], PairsByAttack]:
    """Read and check the attacks, and the pairs of each attack with its controls.

    Raises:
        ValueError: If a value cannot be one that a study wrote.
    """
    attacks = index.rows(
        f"SELECT {', '.join(AXES)}, cells.n_correct AS n_clean, p.* FROM cells "
        "JOIN perturbations AS p ON p.cell = cells.id WHERE p.role != 'control' "
        "ORDER BY position, p.rowid"
    )
    attacks = [_quote_texts(item) for item in attacks]
    n_images: dict[tuple[str, str], int] = {}
    for item in attacks:
        check_columns(item, {"n_clean": COUNT, "attack": TEXT} | dict.fromkeys(AXES, ANY))
        check_perturbation_row(item, USED)
        n_images[item["cell"], item["name"]] = item["n"]
        if item["n_clean"] > item["n"]:
            raise ValueError(f"its n_correct exceeds its {item['n']} images")
    pairs: PairsByAttack = defaultdict(list)
    for pair in map(_quote_texts, index.rows("SELECT * FROM pairs")):
        check_columns(pair, PAIRS)
        moved = max(pair["only_attack"] + pair["only_control"], pair["n_control"])
        if moved > n_images.get((pair["cell"], pair["attack"]), moved):
            raise ValueError("a pair counts more images than there are")
        pairs[pair["cell"], pair["attack"]].append(pair)
    return attacks, pairs


def _quote_texts(row: Json) -> Json:
    """Return a row whose texts are safe to print on any terminal."""
    return {
        name: quote_text(value, LONGEST) if isinstance(value, str) else value
        for name, value in row.items()
    }


def aggregate_rows(attacks: list[Json], pairs: PairsByAttack) -> list[AggregateRow]:
    """Aggregate each attack in each part of the grid, and correct the p-values over all rows."""
    groups: dict[tuple[Any, ...], dict[tuple[Any, ...], Json]] = defaultdict(dict)
    for item in attacks:
        group = groups[(*(item[part] for part in PARTS), item["attack"], item["target"])]
        group.setdefault(tuple(item[seed] for seed in SEEDS), item)  # each seed counts once
    rows = [_aggregate_seeds(list(items.values()), pairs) for items in groups.values()]
    corrected = holm_correction([row.p for row in rows])
    return [replace(row, holm=p) for row, p in zip(rows, corrected, strict=True)]


def _aggregate_seeds(items: list[Json], pairs: PairsByAttack) -> AggregateRow:
    """Aggregate one attack over its seeds."""
    first = items[0]
    target = first["target"]
    base, hits = ("n", "n_fooled") if target is None else ("n_elsewhere", "n_moved")
    controls = [pairs[item["cell"], item["name"]] for item in items]
    noises, copies = (_pairs_of_kind(controls, kind) for kind in KINDS)

    def strongest(pairs_of_cells: list[list[Json]]) -> Estimate:
        return average_over_seeds(
            [
                Proportion(max(pair["n_control"] for pair in some), item[base])
                for some, item in zip(pairs_of_cells, items, strict=True)
            ]
        )

    tested = [pair for some in noises for pair in some]
    ceilings = [Proportion(item["n_ceiling"], item["n"]) for item in items]
    return AggregateRow(
        part={part: first[part] for part in PARTS if first[part] is not None},
        attack=first["attack"],
        threat_model=first["threat_model"],
        target=target,
        n_images=first["n"],
        accuracy=average_over_seeds([Proportion(item["n_clean"], item["n"]) for item in items]),
        rate=average_over_seeds([Proportion(item[hits], item[base]) for item in items]),
        ceiling=average_over_seeds(ceilings) if target is None else None,
        noise=strongest(noises),
        copy=strongest(copies) if all(copies) else None,
        p=max(mcnemar_p_value(pair["only_attack"], pair["only_control"]) for pair in tested),
        holm=1.0,
        n_controls=len(tested),
        cells=tuple(item["cell"] for item in items),
    )


def _pairs_of_kind(controls: list[list[Json]], kind: ControlKind) -> list[list[Json]]:
    """Return the pairs of each cell whose control is of a kind."""
    return [[pair for pair in some if control_kind(pair["kind"]) == kind] for some in controls]
