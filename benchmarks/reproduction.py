"""Collect the counts of the study that follows the paper, and write the tables and figures of its page.

    pip install matplotlib
    python benchmarks/reproduction.py collect --study runs/minagi2022-small --curves runs/curves
    python benchmarks/reproduction.py write                    # the tables of docs/reproduction.md
    python benchmarks/reproduction.py draw --study runs/minagi2022-small --released ../shared/data/reference

`collect` stores the rows of `straylight study tables`, the curves of `paper_curve.py` and the confusion
matrices in `reproduction.json`. Everything published is made from that file, apart from the pictures of
perturbations and the log of the authors. `tests/test_readme.py` fails if a table of the page differs from
the file.
"""

import argparse
import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from straylight.audit.storage import load_audit
from straylight.evaluation.metrics import Proportion, format_percent
from straylight.study.report.tables import format_tables
from tables import format_markdown, replace_tables

HERE = Path(__file__).parent
COUNTS = HERE / "reproduction.json"
PAGE = HERE.parent / "docs" / "reproduction.md"
COHORTS = ("skin", "chest", "oct")
NETWORKS = {"mobilenetv2": "MobileNetV2", "squeezenet": "SqueezeNet 1.1", "lcnet": "LCNet"}
CHANCE = 0.05

Json = dict[str, Any]


def collect_study(study: Path, curves: Path) -> None:
    """Store what the page needs of a study in `reproduction.json`."""
    rows = list(csv.DictReader(io.StringIO(format_tables(study, "csv"))))
    found = {
        "rows": [{key: value for key, value in row.items() if key != "cells"} for row in rows],
        "curves": {name: json.loads((curves / f"{name}.json").read_text()) for name in COHORTS},
        "confusions": {
            name: collect_confusions(study / "cells" / find_main_audit(study, name))
            for name in COHORTS
        },
    }
    COUNTS.write_text(json.dumps(found, indent=1) + "\n")


def find_main_audit(study: Path, cohort: str) -> str:
    """Return the cell that audits the fine-tuned MobileNetV2 in L2 with 1,000 photographs."""
    with closing(sqlite3.connect(f"file:{study}/index.sqlite?mode=ro", uri=True)) as index:
        (cell,) = index.execute(
            "SELECT cells.id FROM cells JOIN perturbations AS p ON p.cell = cells.id WHERE cohort = ? "
            "AND model = 'mobilenetv2' AND initialisation = 'fine-tuned' AND norm = 'l2' AND seed = 0 "
            "AND photographs = 1000 AND p.method = 'sequential' AND p.target IS NULL",
            (cohort,),
        ).fetchone()
    return str(cell)


def collect_confusions(folder: Path) -> Json:
    """Return the confusion matrices of the non-targeted attacks of an audit."""
    audit = load_audit(folder)
    made = {
        i.name: i.score.confusion
        for i in audit.perturbations
        if i.role == "attack" and not i.target
    }
    return {"classes": audit.model.class_names, "clean": audit.cohort.clean_confusion} | made


def select_rows(rows: list[Json], **wanted: str) -> list[Json]:
    """Return the rows that have all of the given values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def format_rate(row: Json, name: str = "rate") -> str:
    """Format a rate with its interval."""
    rate, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return f"{format_percent(rate)} ({100 * low:.0f}-{100 * high:.0f})"


def against_noise(row: Json | None) -> str:
    """Format a rate; ≈ marks a rate that is not shown to exceed the random controls."""
    if row is None:
        return ""
    return format_rate(row) + ("" if float(row["p_holm"]) < CHANCE else " ≈")


def format_budget(row: Json) -> str:
    """Format the budget of a row."""
    return f"L2 {100 * float(row['zeta']):g} %" if row["zeta"] else f"L∞ {row['eps_levels']}/255"


def group_rows(rows: list[Json]) -> list[list[Json]]:
    """Group rows by everything but the attack and its target, in order."""
    keys = ("cohort", "model", "initialisation", "photographs", "zeta", "eps_levels")
    groups: dict[tuple[str, ...], list[Json]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(groups.values())


def find_attack(rows: list[Json], name: str) -> Json | None:
    """Return the row of an attack by its name and source, or None."""
    return next((row for row in rows if row["attack"].partition(":")[0] == name), None)


def main_table(rows: list[Json]) -> str:
    """Lay out non-targeted attacks: noise, the paper's algorithm, `auto`, and the ceiling."""
    head = ["images", "network", "start", "budget", "photographs", "seeds", "accuracy %", "noise"]
    lines = [[*head, "`sequential`", "`auto`", "ceiling"]]
    for some in group_rows(select_rows(rows, target="")):
        loop, auto = find_attack(some, "sequential"), find_attack(some, "auto")
        if auto is None or loop is None:
            continue
        line = [
            auto["cohort"],
            NETWORKS[auto["model"]],
            auto["initialisation"],
            format_budget(auto),
        ]
        line += [
            f"{int(auto['photographs']):,}",
            auto["n_seeds"],
            format_percent(float(auto["accuracy"])),
        ]
        line += [format_rate(auto, "noise"), against_noise(loop), against_noise(auto)]
        lines.append([*line, format_percent(float(auto["ceiling"]))])
    return format_markdown(lines)


def targeted_table(rows: list[Json]) -> str:
    """Lay out targeted attacks, over the images that were not in the class already."""
    targeted = [row for row in rows if row["target"]]
    lines = [["images", "start", "budget", "to", "noise", "`sequential`", "`gradient@adapted`"]]
    for some in group_rows(targeted):
        for target in dict.fromkeys(row["target"] for row in some):
            made = select_rows(some, target=target)
            best, loop = find_attack(made, "gradient@adapted"), find_attack(made, "sequential")
            assert best is not None
            line = [
                best["cohort"],
                best["initialisation"],
                format_budget(best),
                target,
                format_rate(best, "noise"),
            ]
            lines.append([*line, against_noise(loop), against_noise(best)])
    return format_markdown(lines)


def oracle_table(rows: list[Json]) -> str:
    """Lay out what medical images add to `auto`, and what plain photographs give."""
    lines = [["images", "start", "noise", "`gradient`", "`auto`", "`auto@medical`", "share"]]
    for some in group_rows(select_rows(rows, target="")):
        names = ("gradient", "auto", "auto@medical")
        plain, auto, oracle = (find_attack(some, name) for name in names)
        if plain is None or auto is None or oracle is None:
            continue
        line = [auto["cohort"], auto["initialisation"], format_rate(auto, "noise")]
        line += [against_noise(plain), against_noise(auto), against_noise(oracle)]
        lines.append([*line, f"{100 * float(auto['rate']) / float(oracle['rate']):.0f} %"])
    return format_markdown(lines)


def curve_table(curves: dict[str, list[Json]]) -> str:
    """Lay out the curves of the loop."""
    lines = [
        [
            "images",
            "photographs",
            "L2",
            "training images",
            "test images",
            "photographs",
            "noise, test images",
        ]
    ]
    for name, points in curves.items():
        for point in points:
            rates = [
                format_percent(
                    Proportion(point[key], point[f"n_{key.removeprefix('noise_')}"]).rate
                )
                for key in ("train", "test", "photographs", "noise_test")
            ]
            lines.append([name, f"{point['seen']:,}", f"{point['l2']:.2f}", *rates])
    return format_markdown(lines)


TABLES: dict[str, Callable[[Json], str]] = {
    "main": lambda found: main_table(found["rows"]),
    "targeted": lambda found: targeted_table(found["rows"]),
    "oracle": lambda found: oracle_table(found["rows"]),
    "curve": lambda found: curve_table(found["curves"]),
}


def fill_tables(page: str, found: Json) -> str:
    """Return the page with its tables made anew from the counts."""
    return replace_tables(page, lambda name: TABLES[name](found))


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("collect", "write", "draw"))
    parser.add_argument("--study", type=Path)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--released", type=Path)
    given = parser.parse_args()
    if given.command == "collect":
        collect_study(given.study, given.curves)
    elif given.command == "write":
        PAGE.write_text(fill_tables(PAGE.read_text(), json.loads(COUNTS.read_text())))
    else:
        from reproduction_figures import draw_figures

        audits = {
            name: given.study / "cells" / find_main_audit(given.study, name) for name in COHORTS
        }
        draw_figures(json.loads(COUNTS.read_text()), audits, given.released, PAGE.parent / "images")


if __name__ == "__main__":
    main()
