"""Collect audits into `results.json`, and write the tables of the pages from it.

    python benchmarks/tables.py collect measured audits/*      # reads audit.json of each folder
    python benchmarks/tables.py write                          # the pages, between their table markers

`tests/test_readme.py` fails when a table is not that of `results.json`.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from straylight.audit.results import Audit, Perturbation
from straylight.audit.storage import load_audit
from straylight.evaluation.metrics import Proportion, Score, matrix, percent

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGES = (HERE.parent / "README.md", HERE.parent / "docs" / "attacks.md")
MARKER = re.compile(r"<!-- table:([\w-]+) -->.*?<!-- end -->", re.DOTALL)

Json = dict[str, Any]


def collect(part: str, folders: list[str]) -> None:
    """Store the counts of audits under a heading of `results.json`."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[part] = {Path(folder).name: digest(load_audit(Path(folder))) for folder in folders}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def digest(audit: Audit) -> Json:
    """Keep of an audit what the tables need: counts and costs."""
    return {
        "budget": vars(audit.budget),
        "class_names": audit.model.class_names,
        "photographs": audit.natural.n,
        "adapted": audit.natural.adapted,
        "clean_confusion": audit.cohort.clean_confusion,
        "perturbations": [perturbation(item) for item in audit.perturbations],
        "versions": {name: audit.environment[name] for name in ("straylight", "torch", "timm")},
        "threads": audit.environment["threads"],
        "peak_memory_mib": audit.environment.get("peak_memory_mib"),
    }


def perturbation(item: Perturbation) -> Json:
    """Keep of a perturbation its counts and costs."""
    fields = ("name", "role", "source", "target", "copy_of", "seconds", "curve")
    return {name: getattr(item, name) for name in fields} | {
        "method": item.method["name"],
        "model_passes": item.n_forward + item.n_backward,
        "transitions": item.score.transitions,
        "n_fooled_raw": item.score.n_fooled_raw,
    }


def score(item: Json) -> Score:
    """Return the counts of a stored perturbation (its confusion is not kept)."""
    return Score((), matrix(item["transitions"]), item["n_fooled_raw"])


def fooled(item: Json) -> Proportion:
    """Return the images that a stored perturbation fools."""
    return score(item).fooled


def rate(proportion: Proportion) -> str:
    """Format a rate with its interval."""
    low, high = proportion.ci95
    return f"{percent(proportion.rate)} ({100 * low:.0f}-{100 * high:.0f})"


def best(items: list[Json]) -> Json:
    """Return the perturbation with the largest fooling rate."""
    return max(items, key=lambda item: fooled(item).rate)


def rows_of(audit: Json) -> dict[str, str]:
    """Summarise an audit in one row."""
    items = audit["perturbations"]
    untargeted = {i["name"]: i for i in items if i["role"] == "attack" and i["target"] is None}
    targeted = [i for i in items if i["role"] == "attack" and i["target"] is not None]
    controls = [i for i in items if i["role"] == "control"]
    copies = [i for i in controls if i["copy_of"] is not None]
    row = {"accuracy %": accuracy(audit), "noise": rate(fooled(noise_of(audit)))}
    row["spectrum copy"] = rate(fooled(best(copies)))
    for name in ("sequential", "gradient", "gradient@adapted"):
        if name in untargeted:
            row[f"`{name}`"] = rate(fooled(untargeted[name]))
    if targeted:
        top = best(targeted)
        row["best target"] = f"{rate(fooled(top))} {top['target']}"
        hits = [
            score(i).hit_from_elsewhere(audit["class_names"].index(i["target"])).rate
            for i in targeted
        ]
        row["on target %"] = " / ".join(percent(hit, 0) for hit in hits)
    return row


def budget_of(audit: Json) -> str:
    """Name a budget."""
    budget = audit["budget"]
    if budget["zeta"] is None:
        return f"L∞ {budget['eps'] * 255:g}/255"
    return f"L2 {100 * budget['zeta']:g} %"


def table(audits: dict[str, Json]) -> str:
    """Lay out audits as a Markdown table."""
    rows = [
        {"audit": name.rsplit("-", 2)[0] if "-l" in name else name, "budget": budget_of(audit)}
        | rows_of(audit)
        for name, audit in audits.items()
    ]
    head = list(rows[0])
    return markdown([head, *([row.get(name, "") for name in head] for row in rows)])


def methods_table(audits: dict[str, Json]) -> str:
    """Lay out the fooling rates of non-targeted attacks, below those of noise."""
    noises = [rate(fooled(noise_of(audit))) for audit in audits.values()]
    first = [["accuracy %", *map(accuracy, audits.values())], ["noise", *noises]]
    return by_method(audits, "fooling rate %", first, lambda i, _: rate(fooled(i)), targeted=False)


def accuracy(audit: Json) -> str:
    """Format the accuracy without an attack."""
    confusion = matrix(audit["clean_confusion"])
    return percent(Score(confusion, confusion, 0).correct.rate)


def targeted_table(audits: dict[str, Json]) -> str:
    """Lay out targeted success over the images that were not in the class already."""
    audits = {name: audit for name, audit in audits.items() if targets_of(audit)}
    targets = {name: targets_of(audit)[0] for name, audit in audits.items()}
    return by_method(
        audits,
        "on target %, from elsewhere",
        [["target", *targets.values()]],
        lambda item, audit: rate(hit_of(item, audit)),
        targeted=True,
    )


def classes_table(audits: dict[str, Json]) -> str:
    """Lay out targeted success for every class, beside the most that a random control brings to it."""
    rows = [["cell", "class", "on target %, from elsewhere", "noise"]]
    for name, audit in audits.items():
        controls = [i for i in audit["perturbations"] if i["method"].startswith("random-")]
        for item in by_name(audit).values():
            if item["target"] is None:
                continue
            index = audit["class_names"].index(item["target"])
            most = max(score(i).hit_from_elsewhere(index).rate for i in controls)
            found = rate(hit_of(item, audit))
            rows.append([cell_name(name, audit), item["target"], found, percent(most)])
    return markdown(rows)


def targets_of(audit: Json) -> list[str]:
    """Name the classes that an audit has aimed at."""
    return [
        item["target"] for item in audit["perturbations"] if item["target"] and not item["copy_of"]
    ]


def hit_of(item: Json, audit: Json) -> Proportion:
    """Return the images that a targeted perturbation has brought to its class."""
    return score(item).hit_from_elsewhere(audit["class_names"].index(item["target"]))


def gap_table(audits: dict[str, Json]) -> str:
    """Lay out, cell by cell, what is left of the best oracle's rate without a medical image."""
    found = map(shares_of, filter(has_oracle, audits.values()))
    shares = [pair for pair in found if None not in pair]
    before, after = (
        f"{100 * sum(parts) / len(parts):.0f} %" for parts in zip(*shares, strict=True)
    )
    return f"{shares_table(audits)}\n| mean |  |  |  |  | {before} | {after} |"


def shares_table(audits: dict[str, Json]) -> str:
    """Lay out the same without the mean, where cells differ too much for one."""
    rows = [
        ["cell", "noise", "`auto@photographs`", "`auto`", "best oracle", "share before", "after"]
    ]
    for name, audit in audits.items():
        if has_oracle(audit):
            oracle = oracle_of(audit)
            rates = ["" if item is None else rate(fooled(item)) for item in autos_of(audit)]
            shares = ["" if share is None else f"{100 * share:.0f} %" for share in shares_of(audit)]
            row = [cell_name(name, audit), rate(fooled(noise_of(audit))), *rates]
            rows.append([*row, f"{rate(fooled(oracle))} `{oracle['name']}`", *shares])
    return markdown(rows)


def has_oracle(audit: Json) -> bool:
    """Tell whether there are an `auto` and an oracle to compare."""
    made = by_name(audit)
    return "auto" in made and any(item["role"] == "reference" for item in made.values())


def oracle_of(audit: Json) -> Json:
    """Return the strongest perturbation that was made with medical images."""
    return best([item for item in by_name(audit).values() if item["role"] == "reference"])


def autos_of(audit: Json) -> list[Json | None]:
    """Return `auto` on photographs as they are, if it was run, and `auto`."""
    made = by_name(audit)
    return [made.get("auto@photographs"), made["auto"]]


def shares_of(audit: Json) -> list[float | None]:
    """Return what both reach of the best oracle's rate."""
    whole = fooled(oracle_of(audit)).rate
    return [None if item is None else fooled(item).rate / whole for item in autos_of(audit)]


def costs_table(audits: dict[str, Json]) -> str:
    """Lay out what each method took: image passes, and wall time."""
    found = [audit["adapted"] for audit in audits.values()]
    once = [cost(a["n_forward"] + a["n_backward"], a["seconds"]) if a else "" for a in found]
    first = ["adapting the photographs (once)", *once]
    costs = by_method(
        audits,
        "passes, seconds",
        [first],
        lambda i, _: cost(i["model_passes"], i["seconds"]),
        targeted=False,
    )
    peaks = [audit["peak_memory_mib"] for audit in audits.values()]
    said = ["" if peak is None else f"{peak / 1024:.1f} GiB" for peak in peaks]
    return costs + "\n| peak memory of the audit | " + " | ".join(said) + " |"


def by_method(
    audits: dict[str, Json],
    corner: str,
    first: list[list[str]],
    cell: Callable[[Json, Json], str],
    *,
    targeted: bool,
) -> str:
    """Lay out methods one below the other, with a column for each audit."""
    made = [
        {
            name.partition(" to ")[0]: item
            for name, item in by_name(audit).items()
            if (item["target"] is not None) == targeted
        }
        for audit in audits.values()
    ]
    names = dict.fromkeys(name for items in made for name in items)
    rows = [[corner, *(cell_name(name, audit) for name, audit in audits.items())]]
    rows += first
    for name in names:
        found = zip((items.get(name) for items in made), audits.values(), strict=True)
        cells = ("" if item is None else cell(item, audit) for item, audit in found)
        rows.append([label(name), *cells])
    return markdown(rows)


def markdown(rows: list[list[str]]) -> str:
    """Write rows, the first of them the head, as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def cost(passes: int, seconds: float) -> str:
    """Format image passes and wall time."""
    return f"{passes:,}, {seconds:.0f}"


def cell_name(name: str, audit: Json) -> str:
    """Name an audit by its task, what is special of it, and its budget."""
    task, *special = re.sub(r"-l(2|inf)-.*", "", name).split("-")
    words = {"100": "100 photographs", "scratch": "from scratch", "squeezenet": "SqueezeNet"}
    words |= {
        "unaligned": "",
        "deepfool": "",
        "t2": "",
        "targets": "",
    }  # cells for a method, of the same classifier and photographs
    said = [re.sub(r"^seed", "seed ", words.get(word, word)) for word in special]
    return ", ".join(filter(None, [task, *said, budget_of(audit)]))


def label(name: str) -> str:
    """Mark a method's name; an oracle is called one."""
    return f"oracle: `{name}`" if name.endswith("@medical") else f"`{name}`"


def by_name(audit: Json) -> dict[str, Json]:
    """Return the attacks and references of an audit by their names."""
    return {item["name"]: item for item in audit["perturbations"] if item["role"] != "control"}


def noise_of(audit: Json) -> Json:
    """Return the strongest random control, copies of a spectrum left out."""
    return best([i for i in audit["perturbations"] if i["method"].startswith("random-")])


def curve_table(audits: dict[str, Json]) -> str:
    """Lay out attacks on their way: the fooling rate after so many passes and seconds."""
    rows = [["attack", "image passes", "seconds", "fooling rate %"]]
    for audit in audits.values():
        for item in by_name(audit).values():
            for point in item["curve"]:
                found = Proportion(point["n_fooled"], fooled(item).n)
                passes = f"{point['model_passes']:,}"
                rows.append([label(item["name"]), passes, f"{point['seconds']:.0f}", rate(found)])
    return markdown(rows)


LAYOUTS: dict[str, Callable[[dict[str, Json]], str]] = {
    "": table,
    "methods": methods_table,
    "targeted": targeted_table,
    "classes": classes_table,
    "gap": gap_table,
    "shares": shares_table,
    "costs": costs_table,
    "curve": curve_table,
}


def written(text: str, results: Json) -> str:
    """Return a page with its tables replaced by those of the results."""

    def fill(match: re.Match[str]) -> str:
        part, _, kind = match[1].partition("-")
        if part not in results:
            return match[0]
        layout = LAYOUTS[kind]
        return f"<!-- table:{match[1]} -->\n\n{layout(results[part])}\n\n<!-- end -->"

    return MARKER.sub(fill, text)


def main() -> None:
    """Run one of the two commands."""
    if sys.argv[1] == "collect":
        collect(sys.argv[2], sys.argv[3:])
    else:
        results = json.loads(RESULTS.read_text())
        for page in PAGES:
            page.write_text(written(page.read_text(), results))


if __name__ == "__main__":
    main()
