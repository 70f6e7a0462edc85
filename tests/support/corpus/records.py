"""Records of ours, made to mislead or to cost: ledgers of unfinished audits, and files of studies."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from corpus import Case, damaged
from straylight.core.strict_json import seal_json

GOOD_STUDY = """[cohorts.c]
test = "t"
classes = ["a", "b"]
[models.m]
model = "x.onnx"
[sources.s]
natural = "n"
[[audits]]
cohort = "c"
model = "m"
source = "s"
photographs = [1, 2]
zeta = 0.1
methods = ["gradient"]
"""


def cases(rng: np.random.Generator) -> Iterator[Case]:
    good = ledger().encode()
    for case in damaged("ledgers", "good.json", good, rng):
        # Not a bit of it may be another.
        yield replace(case, expected="read" if case.data == good else "refused")
    for name, text in hostile_ledgers().items():
        yield Case(f"ledgers/{name}.json", text.encode(), "refused")
    yield Case("studies/good.toml", GOOD_STUDY.encode(), "read")
    for name, text in hostile_studies().items():
        yield Case(f"studies/{name}.toml", text.encode(), "refused")


def ledger(**changes: object) -> str:
    """Return a ledger of one perturbation, sealed."""
    from fixed_audit import fixed_audit

    audit = fixed_audit()
    item = replace(audit.perturbations[0], sha256="0" * 64).to_json(audit.model.class_names)
    plain = json.loads(json.dumps(item)) | changes
    return seal_json({"fingerprint": "f" * 64, "perturbations": [plain]})


def hostile_ledgers() -> dict[str, str]:
    """Ledgers with a right digest and wrong content, and others without."""
    return {
        "deep": "[" * 100_000,
        "deep-object": '{"perturbations": ' + '{"a":' * 90_000 + "1" + "}" * 90_001,
        "no-digest": json.dumps({"fingerprint": "x", "perturbations": []}),
        "no-list": seal_json({"fingerprint": "x"}),
        "number": seal_json({"fingerprint": "x", "perturbations": 7}),
        "twice": '{"sha256": "a", "sha256": "b"}',
        "file-number": ledger(file=7),
        "file-line": ledger(file="perturbations/a.npy\n"),
        "file-absolute": ledger(file="/etc/passwd"),
        "file-up": ledger(file="../a.npy"),
        "no-file-digest": ledger(sha256=""),
        "counts": ledger(n_fooled_raw=2 * 10**20),
        "counts-float": ledger(n_fooled_raw=1.0),
        "table": ledger(confusion=[["a"]]),
        "seed": ledger(seed=10**30),
    }


def hostile_studies() -> dict[str, str]:
    """Files that are no study, or one that never ends."""
    numbers = [n + 1 for n in range(900)]
    return {
        "deep-list": "a = " + "[" * 100_000 + "]" * 100_000,
        "deep-table": "a = " + "{a=" * 3_000 + "1" + "}" * 3_000,
        "deep-key": ".".join("a" * 50_000) + " = 1",
        "deep-header": "[" + ".".join("a" * 50_000) + "]",
        "digits": "a = " + "9" * 9_000,
        "long": "a = '" + "x" * 10_000 + "'",
        "many": "a = [" + "1," * 9_000 + "]",
        "broken": "a = [\n" + "[1],\n" * 20_000,
        "empty": "",
        "nul": "a = '\0'",
        "vast": GOOD_STUDY.replace("[1, 2]", f"{numbers}") + f"seed = {numbers}\n",
        "infinite": GOOD_STUDY.replace("0.1", "inf"),
        "nan": GOOD_STUDY.replace("0.1", "nan"),
        "huge": GOOD_STUDY.replace("[1, 2]", str(10**30)),
        "twins": GOOD_STUDY.replace("[1, 2]", "[1, 1]"),
        "escape": GOOD_STUDY.replace('"t"', '"${x}"'),
    }
