"""Collect the counts of audits in `results.json`, and write the tables of the pages from it.

    python benchmarks/tables.py collect measured audits/*      # reads audit.json of each folder
    python benchmarks/tables.py write                          # the pages, between their table markers

`tests/test_readme.py` fails if a table differs from `results.json`.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.audit.storage import load_audit
from straylight.evaluation.metrics import Proportion, Score, format_percent, to_matrix

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGES = (HERE.parent / "README.md", *sorted((HERE.parent / "docs").glob("*.md")))
MARKER = re.compile(r"<!-- table:([\w-]+) -->.*?<!-- end -->", re.DOTALL)

Json = dict[str, Any]


def collect_audits(part: str, folders: list[str]) -> None:
    """Store the counts of audits under a heading of `results.json`."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[part] = {
        Path(folder).name: summarise_audit(load_audit(Path(folder))) for folder in folders
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def summarise_audit(audit: Audit) -> Json:
    """Return the counts and costs of an audit that the tables need."""
    return {
        "budget": vars(audit.budget),
        "class_names": audit.model.class_names,
        "photographs": audit.natural.n,
        "adapted": audit.natural.adapted and audit.natural.adapted.to_json(),
        "clean_confusion": audit.cohort.clean_confusion,
        "perturbations": [summarise_perturbation(item) for item in audit.perturbations],
        "versions": {
            name: getattr(audit.environment, name) for name in ("straylight", "torch", "timm")
        },
        "threads": audit.environment.threads,
        "peak_memory_mib": audit.environment.peak_memory_mib,
    }


def summarise_perturbation(item: Perturbation) -> Json:
    """Return the counts and costs of a perturbation."""
    fields = ("name", "role", "source", "target", "copy_of", "seconds")
    return {name: getattr(item, name) for name in fields} | {
        "curve": [vars(point) for point in item.curve],
        "method": item.method.name,
        "model_passes": item.n_forward + item.n_backward,
        "transitions": item.score.transitions,
        "n_fooled_raw": item.score.n_fooled_raw,
    }


def stored_score(item: Json) -> Score:
    """Return the counts of a stored perturbation (its confusion is not stored)."""
    return Score((), to_matrix(item["transitions"]), item["n_fooled_raw"])


def fooled_images(item: Json) -> Proportion:
    """Return the fooling rate of a stored perturbation."""
    return stored_score(item).fooled


def format_rate(proportion: Proportion) -> str:
    """Format a rate with its interval."""
    low, high = proportion.ci95
    return f"{format_percent(proportion.rate)} ({100 * low:.0f}-{100 * high:.0f})"


def strongest_of(items: list[Json]) -> Json:
    """Return the perturbation with the largest fooling rate."""
    return max(items, key=lambda item: fooled_images(item).rate)


def summary_row(audit: Json) -> dict[str, str]:
    """Summarise an audit in one row."""
    items = audit["perturbations"]
    untargeted = {i["name"]: i for i in items if i["role"] == "attack" and i["target"] is None}
    targeted = [i for i in items if i["role"] == "attack" and i["target"] is not None]
    controls = [i for i in items if i["role"] == "control"]
    copies = [i for i in controls if i["copy_of"] is not None]
    row = {
        "accuracy %": format_accuracy(audit),
        "noise": format_rate(fooled_images(strongest_noise(audit))),
    }
    row["spectrum copy"] = format_rate(fooled_images(strongest_of(copies)))
    for name in ("sequential", "gradient", "gradient@adapted"):
        if name in untargeted:
            row[f"`{name}`"] = format_rate(fooled_images(untargeted[name]))
    if targeted:
        top = strongest_of(targeted)
        row["best target"] = f"{format_rate(fooled_images(top))} {top['target']}"
        hits = [
            stored_score(i).hit_from_elsewhere(audit["class_names"].index(i["target"])).rate
            for i in targeted
        ]
        row["on target %"] = " / ".join(format_percent(hit, 0) for hit in hits)
    return row


def format_budget(audit: Json) -> str:
    """Format the budget of an audit."""
    budget = audit["budget"]
    if budget["zeta"] is None:
        return f"L∞ {budget['eps'] * 255:g}/255"
    return f"L2 {100 * budget['zeta']:g} %"


def summary_table(audits: dict[str, Json]) -> str:
    """Lay out audits as a Markdown table."""
    rows = [
        {"audit": name.rsplit("-", 2)[0] if "-l" in name else name, "budget": format_budget(audit)}
        | summary_row(audit)
        for name, audit in audits.items()
    ]
    head = list(rows[0])
    return format_markdown([head, *([row.get(name, "") for name in head] for row in rows)])


def methods_table(audits: dict[str, Json]) -> str:
    """Lay out the fooling rates of non-targeted attacks, below the rates of noise."""
    noises = [format_rate(fooled_images(strongest_noise(audit))) for audit in audits.values()]
    first = [["accuracy %", *map(format_accuracy, audits.values())], ["noise", *noises]]
    return table_by_method(
        audits, "fooling rate %", first, lambda i, _: format_rate(fooled_images(i)), targeted=False
    )


def format_accuracy(audit: Json) -> str:
    """Format the accuracy without an attack."""
    confusion = to_matrix(audit["clean_confusion"])
    return format_percent(Score(confusion, confusion, 0).correct.rate)


def targeted_table(audits: dict[str, Json]) -> str:
    """Lay out targeted success on the images that are not predicted as the target anyway."""
    audits = {name: audit for name, audit in audits.items() if list_targets(audit)}
    targets = {name: list_targets(audit)[0] for name, audit in audits.items()}
    return table_by_method(
        audits,
        "on target %, from elsewhere",
        [["target", *targets.values()]],
        lambda item, audit: format_rate(targeted_success(item, audit)),
        targeted=True,
    )


def classes_table(audits: dict[str, Json]) -> str:
    """Lay out targeted success for every class, beside that of the strongest random control."""
    rows = [["cell", "class", "on target %, from elsewhere", "noise"]]
    for name, audit in audits.items():
        controls = [i for i in audit["perturbations"] if i["method"].startswith("random-")]
        for item in attacks_by_name(audit).values():
            if item["target"] is None:
                continue
            index = audit["class_names"].index(item["target"])
            most = max(stored_score(i).hit_from_elsewhere(index).rate for i in controls)
            found = format_rate(targeted_success(item, audit))
            rows.append(
                [format_cell_name(name, audit), item["target"], found, format_percent(most)]
            )
    return format_markdown(rows)


def list_targets(audit: Json) -> list[str]:
    """List the target classes of an audit."""
    return [
        item["target"] for item in audit["perturbations"] if item["target"] and not item["copy_of"]
    ]


def targeted_success(item: Json, audit: Json) -> Proportion:
    """Return the success of a targeted perturbation."""
    return stored_score(item).hit_from_elsewhere(audit["class_names"].index(item["target"]))


def finding_table(audits: dict[str, Json]) -> str:
    """Lay out the README's finding: the L2 cells, and their mean."""
    rows = [["test images", "accuracy %", "noise", "photographs", "medical images", "share"]]
    means = []
    for name, audit in audits.items():
        if audit["budget"]["norm"] != "l2":
            continue
        items = [strongest_noise(audit), attacks_by_name(audit)["auto"], strongest_oracle(audit)]
        share = 100 * fooled_images(items[1]).rate / fooled_images(items[2]).rate
        task = name.partition("-")[0]
        rows.append(
            [
                task,
                format_accuracy(audit),
                *(format_rate(fooled_images(item)) for item in items),
                f"{share:.0f} %",
            ]
        )
        means.append([*(fooled_images(item).rate for item in items), share])
    *rates, share = (sum(column) / len(column) for column in zip(*means, strict=True))
    return format_markdown([*rows, ["mean", "", *map(format_percent, rates), f"{share:.0f} %"]])


def gap_table(audits: dict[str, Json]) -> str:
    """Lay out, cell by cell, the share of the best oracle's rate that is reached without medical images."""
    found = map(oracle_shares, filter(has_oracle, audits.values()))
    shares = [pair for pair in found if None not in pair]
    before, after = (
        f"{100 * sum(parts) / len(parts):.0f} %" for parts in zip(*shares, strict=True)
    )
    return f"{shares_table(audits)}\n| mean |  |  |  |  | {before} | {after} |"


def shares_table(audits: dict[str, Json]) -> str:
    """Lay out the same without the mean, for cells that differ too much."""
    rows = [
        ["cell", "noise", "`auto@photographs`", "`auto`", "best oracle", "share before", "after"]
    ]
    for name, audit in audits.items():
        if has_oracle(audit):
            oracle = strongest_oracle(audit)
            rates = [
                "" if item is None else format_rate(fooled_images(item))
                for item in auto_attacks(audit)
            ]
            shares = [
                "" if share is None else f"{100 * share:.0f} %" for share in oracle_shares(audit)
            ]
            row = [
                format_cell_name(name, audit),
                format_rate(fooled_images(strongest_noise(audit))),
                *rates,
            ]
            rows.append([*row, f"{format_rate(fooled_images(oracle))} `{oracle['name']}`", *shares])
    return format_markdown(rows)


def has_oracle(audit: Json) -> bool:
    """Return whether there are an `auto` attack and an oracle to compare."""
    made = attacks_by_name(audit)
    return "auto" in made and any(item["role"] == "reference" for item in made.values())


def strongest_oracle(audit: Json) -> Json:
    """Return the strongest perturbation made with medical images."""
    return strongest_of(
        [item for item in attacks_by_name(audit).values() if item["role"] == "reference"]
    )


def auto_attacks(audit: Json) -> list[Json | None]:
    """Return `auto` on plain photographs, if it was run, and `auto`."""
    made = attacks_by_name(audit)
    return [made.get("auto@photographs"), made["auto"]]


def oracle_shares(audit: Json) -> list[float | None]:
    """Return the shares of the best oracle's rate that both reach."""
    whole = fooled_images(strongest_oracle(audit)).rate
    return [
        None if item is None else fooled_images(item).rate / whole for item in auto_attacks(audit)
    ]


def costs_table(audits: dict[str, Json]) -> str:
    """Lay out the cost of each method: image passes and wall time."""
    found = [audit["adapted"] for audit in audits.values()]
    once = [format_cost(a["n_forward"] + a["n_backward"], a["seconds"]) if a else "" for a in found]
    first = ["adapting the photographs (once)", *once]
    costs = table_by_method(
        audits,
        "passes, seconds",
        [first],
        lambda i, _: format_cost(i["model_passes"], i["seconds"]),
        targeted=False,
    )
    peaks = [audit["peak_memory_mib"] for audit in audits.values()]
    said = ["" if peak is None else f"{peak / 1024:.1f} GiB" for peak in peaks]
    return costs + "\n| peak memory of the audit | " + " | ".join(said) + " |"


def table_by_method(
    audits: dict[str, Json],
    corner: str,
    first: list[list[str]],
    cell: Callable[[Json, Json], str],
    *,
    targeted: bool,
) -> str:
    """Lay out one row per method and one column per audit."""
    made = [
        {
            name.partition(" to ")[0]: item
            for name, item in attacks_by_name(audit).items()
            if (item["target"] is not None) == targeted
        }
        for audit in audits.values()
    ]
    names = dict.fromkeys(name for items in made for name in items)
    rows = [[corner, *(format_cell_name(name, audit) for name, audit in audits.items())]]
    rows += first
    for name in names:
        found = zip((items.get(name) for items in made), audits.values(), strict=True)
        cells = ("" if item is None else cell(item, audit) for item, audit in found)
        rows.append([format_method(name), *cells])
    return format_markdown(rows)


def format_markdown(rows: list[list[str]]) -> str:
    """Format rows, the first of them the header, as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def format_cost(passes: int, seconds: float) -> str:
    """Format image passes and wall time."""
    return f"{passes:,}, {seconds:.0f}"


def format_cell_name(name: str, audit: Json) -> str:
    """Format the name of an audit: its task, its variation and its budget."""
    task, *special = re.sub(r"-l(2|inf)-.*", "", name).split("-")
    words = {"100": "100 photographs", "scratch": "from scratch", "squeezenet": "SqueezeNet"}
    words |= {
        "unaligned": "",
        "deepfool": "",
        "t2": "",
        "targets": "",
    }  # cells for a method, of the same classifier and photographs
    said = [re.sub(r"^seed", "seed ", words.get(word, word)) for word in special]
    return ", ".join(filter(None, [task, *said, format_budget(audit)]))


def format_method(name: str) -> str:
    """Format the name of a method; oracles are marked."""
    return f"oracle: `{name}`" if name.endswith("@medical") else f"`{name}`"


def attacks_by_name(audit: Json) -> dict[str, Json]:
    """Return the attacks and references of an audit by name."""
    return {item["name"]: item for item in audit["perturbations"] if item["role"] != "control"}


def strongest_noise(audit: Json) -> Json:
    """Return the strongest random control, without copies of a spectrum."""
    return strongest_of([i for i in audit["perturbations"] if i["method"].startswith("random-")])


def curve_table(audits: dict[str, Json]) -> str:
    """Lay out the curves of attacks: the fooling rate after a number of passes and seconds."""
    rows = [["attack", "image passes", "seconds", "fooling rate %"]]
    for audit in audits.values():
        for item in attacks_by_name(audit).values():
            for point in item["curve"]:
                found = Proportion(point["n_fooled"], fooled_images(item).n)
                passes = f"{point['model_passes']:,}"
                rows.append(
                    [
                        format_method(item["name"]),
                        passes,
                        f"{point['seconds']:.0f}",
                        format_rate(found),
                    ]
                )
    return format_markdown(rows)


LAYOUTS: dict[str, Callable[[dict[str, Json]], str]] = {
    "": summary_table,
    "methods": methods_table,
    "targeted": targeted_table,
    "classes": classes_table,
    "finding": finding_table,
    "gap": gap_table,
    "shares": shares_table,
    "costs": costs_table,
    "curve": curve_table,
}


def replace_tables(page: str, table_of: Callable[[str], str | None]) -> str:
    """Return a page with new tables between its markers; a table without a new one stays."""

    def fill(match: re.Match[str]) -> str:
        table = table_of(match[1])
        return (
            match[0] if table is None else f"<!-- table:{match[1]} -->\n\n{table}\n\n<!-- end -->"
        )

    return MARKER.sub(fill, page)


def fill_tables(page: str, results: Json) -> str:
    """Return a page with its tables made anew from the results."""

    def table_of(name: str) -> str | None:
        part, _, kind = name.partition("-")
        return LAYOUTS[kind](results[part]) if part in results else None

    return replace_tables(page, table_of)


def main() -> None:
    """Run one of the two commands."""
    if sys.argv[1] == "collect":
        collect_audits(sys.argv[2], sys.argv[3:])
    else:
        results = json.loads(RESULTS.read_text())
        for page in PAGES:
            page.write_text(fill_tables(page.read_text(), results))


if __name__ == "__main__":
    main()
