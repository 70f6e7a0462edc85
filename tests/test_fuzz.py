"""Bad input at scale: no traceback, no hang, no memory, nothing run, and one sentence that says why."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus import Case, make_corpus, write_corpus
from corpus.arrays import MARKER
from corpus.helpers import command, write_helpers
from corpus.readers import SECONDS
from paths import ROOT, TESTS
from straylight.cli.main import main
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading, read_manifest
from straylight.core.errors import InputError
from straylight.core.settings import parse_settings
from straylight.data.photographs.load import load_natural
from straylight.models.load import load_model

T = TypeVar("T")
SHAPE = (3, 8, 8)
LONGEST = 400  # characters, besides the names of folders
RISE = 250  # MiB that all readers together may take above what imports take
REPR_OF_BYTES = re.compile(r"(?<![\w'\"/])b['\"]")


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
    paths = [str(TESTS / "support"), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
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
    wrong = [row for row in found if cases[row["path"]].expected not in ("any", row["outcome"])]
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
    """Of pictures, `SkippedImage` does; attacks and functions by their own; cards and audits too."""
    names = {"cards": "model", "audits": "audit"}
    elsewhere = ("pictures", "scans", "attacks", "outputs")
    for row in found:
        family = row["path"].partition("/")[0]
        if row["outcome"] == "refused" and family not in elsewhere:
            named = str(root / names.get(family, row["path"])) in row["said"][0]
            assert named or (family == "audits" and row["said"][0].startswith("the audit ")), row


def test_nothing_was_run_and_nothing_written(root: Path, found: list[dict[str, Any]]) -> None:
    assert found
    assert [
        path for path in root.rglob("*") if MARKER in path.name or "executed" in path.name
    ] == []
    folders = {row["path"].partition("/")[0] for row in found}
    helpers = {"good", "good-model", "model", "audit", "pair", "secret.png"}
    assert {path.name for path in root.iterdir()} == folders | helpers


@pytest.mark.parametrize("family", ["pictures", "scans"])
def test_good_files_among_bad_ones_are_used_and_counted(
    root: Path, cases: dict[str, Case], found: list[dict[str, Any]], tmp_path: Path, family: str
) -> None:
    rows = [row for row in found if row["path"].startswith(f"{family}/")]
    outcomes = Counter(row["outcome"] for row in rows)
    assert min(outcomes.values()) > 30
    if family == "pictures":
        images = load_natural(root / family, SHAPE)
        assert len(images) == outcomes["read"]
        assert len(images.skipped) == outcomes["refused"]
    manifest = tmp_path / f"{family}.csv"
    manifest.write_text("file,label\n" + "".join(f"{row['path']},{family}\n" for row in rows))
    cohort = load_cohort(manifest, SHAPE, reading=Reading(root=str(root), frame=0))
    assert len(cohort) + len(cohort.images.skipped) == len(rows)
    assert len(cohort) >= outcomes["read"]  # a frame of one frame is read there, and refused above
    skipped = {item.file for item in cohort.images.skipped}
    assert not [path for path in skipped if cases[path].expected == "read"]


SAMPLED = ("arrays", "photographs", "tables", "archives", "weights", "networks", "cards", "audits")
N_SAMPLED = 5  # of each


def test_the_command_line_says_one_line_and_ends_with_2(
    root: Path, found: list[dict[str, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refused = [row["path"] for row in found if row["outcome"] == "refused"]
    for family in SAMPLED:
        paths = [path for path in refused if path.startswith(f"{family}/")]
        for path in paths[:: len(paths) // N_SAMPLED][:N_SAMPLED]:
            scratch = tmp_path / path.replace("/", "-")
            scratch.mkdir()
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                main(command(root, path, scratch))
            printed = capfd.readouterr()
            assert ended.value.code == 2, path
            assert printed.out == "", path
            assert printed.err.startswith("straylight: "), path
            assert printed.err.count("\n") == 1, path


def or_refusal(read: Callable[..., T], *arguments: object) -> T | str:
    """Return what is read, or a refusal that is fit to print."""
    try:
        return read(*arguments)
    except InputError as error:
        said = str(error)
    assert said.isprintable()
    assert len(said) <= LONGEST
    return said


@pytest.mark.parametrize("kind", ["imagenet", "openimages"])
@pytest.mark.parametrize("inside", ["", "train/n00000000", "test", "none", "\x1b[31m"])
def test_folders_without_photographs_are_refused(tmp_path: Path, kind: str, inside: str) -> None:
    if inside != "none":
        (tmp_path / inside).mkdir(parents=True, exist_ok=True)
    spec = f"{kind}:{tmp_path}" + ("/none" if inside == "none" else "")
    with pytest.raises(InputError, match="has no photographs: none of") as refused:
        load_natural(spec, SHAPE, n=1)
    assert spec in str(refused.value)


@pytest.mark.parametrize("load", [load_cohort, load_natural])
def test_a_name_that_no_file_can_have_is_refused(load: Callable[..., object]) -> None:
    for name in ("x" * 5_000, "a\0.zip", "\udcff.csv", "{a,b}" + "x" * 5_000, "hf:" + "x:" * 3_000):
        with pytest.raises(InputError):
            load(name, SHAPE)
    with pytest.raises(InputError):
        load_model("x" * 5_000)


FIELD = st.text(st.characters(codec="utf-8"), max_size=12)


@given(rows=st.lists(st.tuples(FIELD, FIELD), max_size=6), end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_is_read_as_it_was_written_or_refused(
    rows: list[tuple[str, str]], end: str, tmp_path: Path
) -> None:
    """Against the library's own writer: what comes back is what went in, in its order."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows([("file", "label"), *rows])
    path = tmp_path / "any.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    found = or_refusal(read_manifest, path, "file", "label")
    if isinstance(found, str):
        return
    expected = {
        str(PurePosixPath(f.strip().replace("\\", "/"))): label
        for f, label in rows
        if f.strip() or label.strip()
    }
    assert {row.file: row.label for row in found} == expected
    assert not any(
        PurePosixPath(row.file).is_absolute() or ".." in row.file.split("/") for row in found
    )


@given(text=st.text(st.sampled_from("window=frame,label.root/40-1enaif\0 \x1b"), max_size=24))
def test_any_settings_are_understood_or_refused(text: str) -> None:
    reading = or_refusal(parse_settings, Reading, "reading", text)
    if isinstance(reading, str):
        return
    window = reading.parse_window()
    assert window is None or (np.isfinite(window).all() and window[1] >= 1)
