"""A study is run whole, whatever happens on the way: killed, full, read-only, twice at once, failing."""

import json
import os
import random
import resource
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
import torch

from straylight.audit.schema import Json
from straylight.cli.main import main
from straylight.core.array_files import write_array
from straylight.core.progress import Tracker
from straylight.study.run.cell import Cell
from straylight.study.run.index import INDEX
from straylight.study.run.record import CELL_FILE, CELLS
from studies import chain, chains, ended, figures, in_child, start

KILLS = 100
NOBODY = 65534


def check_whole(study: Path, expected: dict[str, int]) -> None:
    """See that every folder with its final name is whole, with the right figures."""
    for folder in (study / CELLS).glob("*[0-9a-f]"):
        record = json.loads((folder / CELL_FILE).read_text())
        assert record["figures"]["n"] == expected[folder.name]


def test_killed_at_a_hundred_random_moments_and_resumed(tmp_path: Path) -> None:
    cells, study = chains(9), tmp_path / "study"
    started = time.perf_counter()
    start(tmp_path / "undisturbed", cells)
    seconds = time.perf_counter() - started
    expected = figures(tmp_path / "undisturbed")
    assert len(expected) == 9
    rng, kills, whole = random.Random(0), 0, 0
    while kills < KILLS:
        child = in_child(lambda: start(study, cells))
        time.sleep(rng.uniform(0, 0.8 * seconds))
        os.kill(child, signal.SIGKILL)
        code = ended(child)
        assert code in (0, -signal.SIGKILL)
        kills += code != 0
        if (study / CELLS).exists():
            check_whole(study, expected)
        if (study / INDEX).exists() and code == 0:
            assert figures(study) == expected
            shutil.rmtree(study)
            whole += 1
    start(study, cells)
    assert figures(study) == expected
    assert sorted(entry.name for entry in (study / CELLS).iterdir()) == sorted(expected)
    assert whole > 0


def test_a_finished_study_runs_nothing_and_a_changed_one_only_what_is_new(
    world: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("cells/*/*")}
    main(["study", str(world / "tiny.toml"), "--out", str(undisturbed)])
    printed = capsys.readouterr()
    assert "4 of 4 cells are finished already." in printed.err
    assert printed.out.startswith("4 done.")
    assert {path: path.stat().st_mtime_ns for path in undisturbed.glob("cells/*/*")} == before


def test_a_full_disk_stops_the_study_and_keeps_what_is_finished(tmp_path: Path, told: Path) -> None:
    def write(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        if cell.identity["start"] == 2:
            write_array(folder / "large.npy", torch.zeros(2**20).numpy())
        return chain(cell, folder, study, tracker)

    def with_little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        start(tmp_path / "study", chains(6), write)

    assert ended(in_child(with_little_room)) == 3
    assert f"{tmp_path / 'study'} cannot be written to (" in told.read_text()
    assert "large.npy cannot be written (File too large)" in told.read_text()
    assert "free some disk space and give the same command again" in told.read_text()
    assert len(figures(tmp_path / "study")) == 2
    assert start(tmp_path / "study", chains(6), write) == {"done": 6}


def test_a_folder_that_cannot_be_written_to_is_told(told: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)

        def as_nobody() -> None:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            start(folder, chains(3))

        assert ended(in_child(as_nobody)) == 3
        assert told.read_text().startswith(f"{folder} cannot be written to (Permission denied)")
