"""Bad input at scale: no traceback, no hang, no memory, nothing run, and one sentence that says why."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from corpus import Case, make_corpus, write_corpus
from corpus.arrays import MARKER
from corpus.readers import SECONDS
from straylight.cli import main
from straylight.cohort import load_cohort
from straylight.errors import InputError
from straylight.manifest import read_manifest
from straylight.reading import Reading
from straylight.settings import parse_settings
from straylight.sources import load_natural
from test_report import write_arrays

SHAPE = (3, 8, 8)
LONGEST = 400  # characters, besides the names of folders
RISE = 250  # MiB that all readers together may take above what imports take
REPR_OF_BYTES = re.compile(r"(?<![\w'\"])b['\"]")


def write_helpers(root: Path) -> None:
    """Write the good files that some readers need beside the bad one."""
    rng = np.random.default_rng(0)
    for label in ("dark", "light"):
        (root / "good" / label).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "good" / label / f"{number}.png")
            Image.fromarray(pixels).save(root / "secret.png")
    write_arrays(root / "audit")
    (root / "model").mkdir()
    network = timm.create_model("test_resnet", num_classes=2)
    save_file(network.state_dict(), root / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {case.path: case for case in make_corpus()}


@pytest.fixture(scope="module")
def root(cases: dict[str, Case], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, list(cases.values()))
    write_helpers(folder)
    return folder


@pytest.fixture(scope="module")
def found(root: Path) -> list[dict[str, Any]]:
    """What the readers, in their own process, made of each file."""
    here = Path(__file__).parent
    paths = [str(here), str(here.parent / "src"), os.environ.get("PYTHONPATH", "")]
    process = subprocess.run(
        [sys.executable, "-m", "corpus.readers", str(root)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    assert process.returncode == 0, f"after {rows[-1:]}: {process.stderr[-2000:]}"
    assert process.stderr == ""
    return rows


def test_the_corpus_is_large_and_the_same_for_a_seed(cases: dict[str, Case]) -> None:
    again = {case.path: case for case in make_corpus()}
    assert len(cases) >= 2_000
    assert [path for path in cases if cases[path] != again.get(path)] == []


def test_every_file_is_given_to_its_readers(
    cases: dict[str, Case], found: list[dict[str, Any]]
) -> None:
    assert {row["path"] for row in found} == set(cases)


def test_no_file_ends_in_another_error_or_a_warning(found: list[dict[str, Any]]) -> None:
    assert [row for row in found if row["outcome"] == "crashed" or row["warned"]] == []


def test_good_files_are_read_and_bad_ones_refused(
    cases: dict[str, Case], found: list[dict[str, Any]]
) -> None:
    wrong = [
        row for row in found if cases[row["path"]].expected not in ("any", row["outcome"])
    ]
    assert wrong == []


def test_no_file_takes_long_or_much_memory(found: list[dict[str, Any]]) -> None:
    assert [row for row in found if row["seconds"] > SECONDS] == []
    peaks = [row["peak"] for row in found]
    assert peaks[-1] - peaks[0] < RISE


def test_reasons_are_one_short_printable_sentence(root: Path, found: list[dict[str, Any]]) -> None:
    said = [text.replace(f"{root}/", "") for row in found for text in row["said"]]
    assert len(said) > 1_000
    for text in said:
        assert 0 < len(text) <= LONGEST, text
        assert text.isprintable(), text
        assert not REPR_OF_BYTES.search(text), text


def test_refusals_name_the_file(root: Path, found: list[dict[str, Any]]) -> None:
    """Of pictures, `Skipped` does; a card and an audit are read under the name that they always have."""
    names = {"cards": "model/model.", "audits": "audit", "photographs": ""}
    for row in found:
        family, _, name = row["path"].partition("/")
        if row["outcome"] == "refused" and family not in ("pictures", "scans"):
            assert str(root / names.get(family, f"{family}/{name}")) in row["said"][0], row


def test_nothing_was_run_and_nothing_written(root: Path, found: list[dict[str, Any]]) -> None:
    assert found
    assert [path for path in root.rglob("*") if MARKER in path.name or "executed" in path.name] == []
    folders = {path.partition("/")[0] for path in (row["path"] for row in found)}
    assert {path.name for path in root.iterdir()} == folders | {"good", "model", "audit", "pair", "secret.png"}


@pytest.mark.parametrize("family", ["pictures", "scans"])
def test_good_files_among_bad_ones_are_used_and_counted(
    root: Path, cases: dict[str, Case], found: list[dict[str, Any]], family: str
) -> None:
    rows = [row for row in found if row["path"].startswith(f"{family}/")]
    outcomes = Counter(row["outcome"] for row in rows)
    assert min(outcomes.values()) > 30
    if family == "pictures":
        images = load_natural(root / family, SHAPE)
        assert len(images) == outcomes["read"]
        assert len(images.skipped) == outcomes["refused"]
    # One class of the folder above: the others hold no image file.
    reading = Reading(frame=0)
    manifest = root.parent / f"{family}.csv"
    manifest.write_text("file,label\n" + "".join(f"{row['path']},{family}\n" for row in rows))
    cohort = load_cohort(manifest, SHAPE, reading=Reading(root=str(root), frame=reading.frame))
    assert len(cohort) + len(cohort.images.skipped) == len(rows)
    assert len(cohort) >= outcomes["read"]
    names = {item.file for item in cohort.images.skipped}
    good = {path for path, case in cases.items() if case.expected == "read"}
    assert not names & good


SAMPLE = 5  # of each family


def command(root: Path, path: str) -> list[str]:
    """The command that meets a file."""
    family = path.partition("/")[0]
    model, photographs, cohort = "good-model", "builtin:noise", "good"
    extra: list[object] = []
    match family:
        case "cards" | "audits":
            (root / family[:-1]).mkdir(exist_ok=True)
        case "photographs" | "archives":
            photographs = path
        case "arrays":
            cohort = path
        case "tables":
            cohort, extra = path, ["--reading", f"root={root / 'good'}"]
        case "weights":
            model = "timm:test_resnet"
            extra = ["--weights", root / path, "--classes", "dark", "light"]
        case "networks":
            model = path
            extra = ["--classes", "dark", "light", "--size", 8, "--mean", 0, "--std", 1]
    place = {"good-model": root / "good-model", "good": root / "good"}
    if family == "audits":
        return ["report", str(root / "audit")]
    return [
        "audit", "--model", str(place.get(model, root / model if "/" in model else model)),
        "--natural", str(photographs if ":" in photographs else root / photographs),
        "--cohort", str(place.get(cohort, root / cohort)), "--zeta", "0.1",
        "--out", str(root / "out"), *map(str, extra),
    ]  # fmt: skip
