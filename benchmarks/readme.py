"""Collect audits into `results.json`, and write the README's tables from it.

    python benchmarks/readme.py collect measured audits/*      # reads audit.json of each folder
    python benchmarks/readme.py write                          # README.md between its table markers

`tests/test_readme.py` fails when the README's tables are not those of `results.json`.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from straylight.counts import Proportion, Score, matrix, percent
from straylight.results import Audit, Perturbation, load_audit

HERE = Path(__file__).parent
RESULTS, README = HERE / "results.json", HERE.parent / "README.md"
MARKER = re.compile(r"<!-- table:(\w+) -->.*?<!-- end -->", re.DOTALL)

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
        "clean_confusion": audit.cohort.clean_confusion,
        "perturbations": [perturbation(item) for item in audit.perturbations],
        "versions": {name: audit.environment[name] for name in ("straylight", "torch", "timm")},
    }


def perturbation(item: Perturbation) -> Json:
    """Keep of a perturbation its counts and costs."""
    fields = ("name", "role", "target", "copy_of", "seconds")
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
    untargeted = {i["method"]: i for i in items if i["role"] == "attack" and i["target"] is None}
    targeted = [i for i in items if i["role"] == "attack" and i["target"] is not None]
    controls = [i for i in items if i["role"] == "control"]
    noise = best([i for i in controls if i["copy_of"] is None])
    copies = [i for i in controls if i["copy_of"] is not None]
    confusion = matrix(audit["clean_confusion"])
    clean = Score(confusion, confusion, 0)
    row = {"accuracy %": percent(clean.correct.rate), "noise": rate(fooled(noise))}
    row["spectrum copy"] = rate(fooled(best(copies)))
    for method in ("sequential", "gradient"):
        if method in untargeted:
            row[f"`{method}`"] = rate(fooled(untargeted[method]))
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
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row.get(name, "") for name in head) + " |" for row in rows]
    return "\n".join(lines)


def written(text: str, results: Json) -> str:
    """Return a README with its tables replaced by those of the results."""

    def fill(match: re.Match[str]) -> str:
        part = match[1]
        if part not in results:
            return match[0]
        return f"<!-- table:{part} -->\n\n{table(results[part])}\n\n<!-- end -->"

    return MARKER.sub(fill, text)


def main() -> None:
    """Run one of the two commands."""
    if sys.argv[1] == "collect":
        collect(sys.argv[2], sys.argv[3:])
    else:
        README.write_text(written(README.read_text(), json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
