"""The study that follows the paper: its counts as one file, and the tables and figures of its page.

    pip install matplotlib
    python benchmarks/reproduction.py collect --study runs/minagi2022-small --curves runs/curves
    python benchmarks/reproduction.py write                    # the tables of docs/reproduction.md
    python benchmarks/reproduction.py draw --study runs/minagi2022-small --released ../shared/data/reference

`collect` keeps in `reproduction.json` the rows of `straylight study tables`, the curves of
`paper_curve.py` and the confusion matrices; everything published is made of that file, but for the
pictures of perturbations and the authors' log. `tests/test_readme.py` fails when a table of the page is
not that of the file.
"""

import argparse
import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from straylight.audit.storage import load_audit
from straylight.evaluation.metrics import Proportion, percent
from straylight.study.report.tables import write_tables
from tables import markdown

HERE = Path(__file__).parent
COUNTS = HERE / "reproduction.json"
PAGE = HERE.parent / "docs" / "reproduction.md"
MARKER = re.compile(r"<!-- table:([\w-]+) -->.*?<!-- end -->", re.DOTALL)
COHORTS = ("skin", "chest", "oct")
NETWORKS = {"mobilenetv2": "MobileNetV2", "squeezenet": "SqueezeNet 1.1", "lcnet": "LCNet"}
CHANCE = 0.05

Json = dict[str, Any]


def collect(study: Path, curves: Path) -> None:
    """Keep what the page needs of a study."""
    rows = list(csv.DictReader(io.StringIO(write_tables(study, "csv"))))
    found = {
        "rows": [{key: value for key, value in row.items() if key != "cells"} for row in rows],
        "curves": {name: json.loads((curves / f"{name}.json").read_text()) for name in COHORTS},
        "confusions": {
            name: confusions(study / "cells" / main_audit(study, name)) for name in COHORTS
        },
    }
    COUNTS.write_text(json.dumps(found, indent=1) + "\n")


def main_audit(study: Path, cohort: str) -> str:
    """Name the audit of the fine-tuned MobileNetV2 in L2 with 1,000 photographs."""
    with closing(sqlite3.connect(f"file:{study}/index.sqlite?mode=ro", uri=True)) as index:
        (cell,) = index.execute(
            "SELECT cells.id FROM cells JOIN perturbations AS p ON p.cell = cells.id WHERE cohort = ? "
            "AND model = 'mobilenetv2' AND initialisation = 'fine-tuned' AND norm = 'l2' AND seed = 0 "
            "AND photographs = 1000 AND p.method = 'sequential' AND p.target IS NULL",
            (cohort,),
        ).fetchone()
    return str(cell)


def confusions(folder: Path) -> Json:
    """Keep the confusion matrices of an audit's non-targeted attacks."""
    audit = load_audit(folder)
    made = {
        i.name: i.score.confusion
        for i in audit.perturbations
        if i.role == "attack" and not i.target
    }
    return {"classes": audit.model.class_names, "clean": audit.cohort.clean_confusion} | made


def select(rows: list[Json], **wanted: str) -> list[Json]:
    """Return the rows that have all of these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def estimate(row: Json, name: str = "rate") -> str:
    """Format a rate with its interval."""
    rate, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return f"{percent(rate)} ({100 * low:.0f}-{100 * high:.0f})"


def against_noise(row: Json | None) -> str:
    """Format a rate; ≈ marks one that is not shown to be above the random controls'."""
    if row is None:
        return ""
    return estimate(row) + ("" if float(row["p_holm"]) < CHANCE else " ≈")


def budget(row: Json) -> str:
    """Name a row's budget."""
    return f"L2 {100 * float(row['zeta']):g} %" if row["zeta"] else f"L∞ {row['eps_levels']}/255"


def parts(rows: list[Json]) -> list[list[Json]]:
    """Group rows by everything but the attack and its target, in order."""
    keys = ("cohort", "model", "initialisation", "photographs", "zeta", "eps_levels")
    groups: dict[tuple[str, ...], list[Json]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(groups.values())


def of_attack(rows: list[Json], name: str) -> Json | None:
    """Return the row of an attack by its name and source, or None."""
    return next((row for row in rows if row["attack"].partition(":")[0] == name), None)


def main_table(rows: list[Json]) -> str:
    """Lay out non-targeted attacks: noise, the paper's algorithm, `auto`, and the ceiling."""
    head = ["images", "network", "start", "budget", "photographs", "seeds", "accuracy %", "noise"]
    lines = [[*head, "`sequential`", "`auto`", "ceiling"]]
    for some in parts(select(rows, target="")):
        loop, auto = of_attack(some, "sequential"), of_attack(some, "auto")
        if auto is None or loop is None:
            continue
        line = [auto["cohort"], NETWORKS[auto["model"]], auto["initialisation"], budget(auto)]
        line += [f"{int(auto['photographs']):,}", auto["n_seeds"], percent(float(auto["accuracy"]))]
        line += [estimate(auto, "noise"), against_noise(loop), against_noise(auto)]
        lines.append([*line, percent(float(auto["ceiling"]))])
    return markdown(lines)


def targeted_table(rows: list[Json]) -> str:
    """Lay out targeted attacks, over the images that were not in the class already."""
    targeted = [row for row in rows if row["target"]]
    lines = [["images", "start", "budget", "to", "noise", "`sequential`", "`gradient@adapted`"]]
    for some in parts(targeted):
        for target in dict.fromkeys(row["target"] for row in some):
            made = select(some, target=target)
            best, loop = of_attack(made, "gradient@adapted"), of_attack(made, "sequential")
            assert best is not None
            line = [
                best["cohort"],
                best["initialisation"],
                budget(best),
                target,
                estimate(best, "noise"),
            ]
            lines.append([*line, against_noise(loop), against_noise(best)])
    return markdown(lines)


def oracle_table(rows: list[Json]) -> str:
    """Lay out what medical images add to `auto`, and what plain photographs give."""
    lines = [["images", "start", "noise", "`gradient`", "`auto`", "`auto@medical`", "share"]]
    for some in parts(select(rows, target="")):
        names = ("gradient", "auto", "auto@medical")
        plain, auto, oracle = (of_attack(some, name) for name in names)
        if plain is None or auto is None or oracle is None:
            continue
        line = [auto["cohort"], auto["initialisation"], estimate(auto, "noise")]
        line += [against_noise(plain), against_noise(auto), against_noise(oracle)]
        lines.append([*line, f"{100 * float(auto['rate']) / float(oracle['rate']):.0f} %"])
    return markdown(lines)


def curve_table(curves: dict[str, list[Json]]) -> str:
    """Lay out the loop on its way."""
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
                percent(Proportion(point[key], point[f"n_{key.removeprefix('noise_')}"]).rate)
                for key in ("train", "test", "photographs", "noise_test")
            ]
            lines.append([name, f"{point['seen']:,}", f"{point['l2']:.2f}", *rates])
    return markdown(lines)


TABLES: dict[str, Callable[[Json], str]] = {
    "main": lambda found: main_table(found["rows"]),
    "targeted": lambda found: targeted_table(found["rows"]),
    "oracle": lambda found: oracle_table(found["rows"]),
    "curve": lambda found: curve_table(found["curves"]),
}


def written(text: str, found: Json) -> str:
    """Return the page with its tables replaced by those of the counts."""
    return MARKER.sub(
        lambda match: f"<!-- table:{match[1]} -->\n\n{TABLES[match[1]](found)}\n\n<!-- end -->",
        text,
    )


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("collect", "write", "draw"))
    parser.add_argument("--study", type=Path)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--released", type=Path)
    given = parser.parse_args()
    if given.command == "collect":
        collect(given.study, given.curves)
    elif given.command == "write":
        PAGE.write_text(written(PAGE.read_text(), json.loads(COUNTS.read_text())))
    else:
        from reproduction_figures import draw

        audits = {name: given.study / "cells" / main_audit(given.study, name) for name in COHORTS}
        draw(json.loads(COUNTS.read_text()), audits, given.released, PAGE.parent / "images")


if __name__ == "__main__":
    main()
