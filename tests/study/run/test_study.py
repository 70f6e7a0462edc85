"""A study is run whole, whatever happens on the way: killed, full, read-only, twice at once, failing."""

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from straylight.audit.schema import Json
from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.core.files import write_array
from straylight.core.progress import Silent, Tracker
from straylight.core.strict_json import sealed, unsealed
from straylight.study.config.grid import Grid
from straylight.study.config.toml import Document
from straylight.study.report.aggregate import read_rows
from straylight.study.run.cell import Cell
from straylight.study.run.cells import cells_of
from straylight.study.run.digests import Digests
from straylight.study.run.index import INDEX, Index
from straylight.study.run.record import CELL_FILE, CELLS
from straylight.study.run.runner import run_cell
from straylight.study.run.status import read_status
from straylight.study.run.study import locked, run_study
from straylight.study.run.work import WORK, Work
from studies import chain, chains, counts, figures, make_world, quiet

KILLS, REAL_KILLS = 100, 6
NOBODY = 65534


def start(study: Path, cells: list[Cell], work: Work = chain, **more: Work) -> dict[str, int]:
    """Run a study of cheap cells; return how many cells are in each state."""
    return dict(run_study("Chains", lambda _: cells, study, quiet(), work={"chain": work, **more}))


def in_child(run: Callable[[], object]) -> int:
    """Run something in a process of its own: 3 if it was refused, 0 if it ended well."""
    child = os.fork()
    if child:
        return child
    code = 1
    with Path(os.environ.get("TOLD", os.devnull)).open("w") as told:
        try:
            run()
            code = 0
        except InputError as error:
            told.write(str(error))
            told.flush()
            code = 3
        finally:
            os._exit(code)


def ended(child: int) -> int:
    """Wait for a process: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a child writes why it was refused."""
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    return tmp_path / "told"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def undisturbed(world: Path) -> Path:
    """The tiny study, run by the command."""
    study = world / "undisturbed"
    main(["study", str(world / "tiny.toml"), "--out", str(study)])
    return study


def tiny(world: Path, digests: Digests) -> list[Cell]:
    return cells_of(Grid(Document(world / "tiny.toml")), digests.of)


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


def test_trainings_and_audits_killed_and_resumed(
    world: Path, undisturbed: Path, tmp_path: Path
) -> None:
    study, rng = tmp_path / "study", random.Random(1)
    seconds = sum(row["seconds"] for row in cell_rows(undisturbed))

    def run() -> None:
        run_study("Tiny", lambda digests: tiny(world, digests), study, quiet())

    for _ in range(REAL_KILLS):
        child = in_child(run)
        time.sleep(rng.uniform(0, seconds / 3))
        os.kill(child, signal.SIGKILL)
        ended(child)
    run()
    assert counts(study) == counts(undisturbed)


def cell_rows(study: Path) -> list[Json]:
    index = Index(study / INDEX)
    rows = index.rows("SELECT * FROM cells ORDER BY position")
    index.close()
    return rows


def test_the_order_of_the_cells_changes_nothing(
    world: Path, undisturbed: Path, tmp_path: Path
) -> None:
    def reversed_audits(digests: Digests) -> list[Cell]:
        first, *audits = tiny(world, digests)
        return [first, *audits[::-1]]

    torch.set_num_threads(2)
    run_study("Tiny", reversed_audits, tmp_path / "study", quiet())
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert counts(tmp_path / "study") == counts(undisturbed)


def test_a_finished_study_runs_nothing_and_a_changed_one_only_what_is_new(
    world: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("cells/*/*")}
    main(["study", str(world / "tiny.toml"), "--out", str(undisturbed)])
    printed = capsys.readouterr()
    assert "4 of 4 cells are there already." in printed.err
    assert printed.out.startswith("4 done.")
    assert {path: path.stat().st_mtime_ns for path in undisturbed.glob("cells/*/*")} == before


def test_the_index_holds_counts_that_are_those_of_the_audits(undisturbed: Path) -> None:
    index = Index(undisturbed / INDEX)
    rows = index.rows("SELECT * FROM perturbations")
    pairs = index.rows("SELECT * FROM pairs")
    index.close()
    audits = {
        folder.name: json.loads((folder / "audit.json").read_text())["perturbations"]
        for folder in (undisturbed / CELLS).glob("audit-*")
    }
    assert len(rows) == sum(map(len, audits.values())) == 3 * 8
    fooled = {(name, item["name"]): item["n_fooled"] for name in audits for item in audits[name]}
    assert {(row["cell"], row["name"]): row["n_fooled"] for row in rows} == fooled
    for found in pairs:
        cell, target = found["cell"], found["attack"] == "gradient to light"
        difference = found["only_attack"] - found["only_control"]
        if not target:
            assert found["n_control"] == fooled[cell, found["control"]]
            assert difference == fooled[cell, found["attack"]] - found["n_control"]
    assert len(pairs) == 3 * 2 * 5


def test_a_cell_that_raises_stops_only_what_needs_it(tmp_path: Path) -> None:
    def fail(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        if cell.identity["start"] == 3 and not (tmp_path / "mended").exists():
            raise RuntimeError("no such luck")
        return chain(cell, folder, study, tracker)

    cells = chains(9)
    assert start(tmp_path / "study", cells, fail) == {"done": 6, "failed": 1, "blocked": 2}
    status = read_status(tmp_path / "study")
    assert status.failed == [("chain c3 seed 3", "RuntimeError: no such luck")]
    trace = tmp_path / "study" / CELLS / f"{cells[3].id}.partial" / "error.txt"
    assert "no such luck" in trace.read_text()
    (tmp_path / "mended").touch()
    assert start(tmp_path / "study", cells, fail) == {"done": 9}
    start(tmp_path / "other", cells)
    assert figures(tmp_path / "study") == figures(tmp_path / "other")


@pytest.mark.parametrize(
    "fill", [lambda: torch.empty(2**60), lambda: bytearray(2**62)], ids=["torch", "python"]
)
def test_a_cell_without_memory_is_told(tmp_path: Path, fill: Callable[[], object]) -> None:
    def greedy(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        return {"n": 0, "kept": fill()}

    cell = Cell(kind="greedy", identity={})
    outcome = run_cell(cell, tmp_path, greedy, Silent())
    assert outcome.state == "failed"
    assert outcome.error.startswith("it ran out of memory")


def test_a_full_disk_stops_the_study_and_keeps_what_is_finished(tmp_path: Path, told: Path) -> None:
    def write(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        if cell.identity["start"] == 2:
            write_array(folder / "large.npy", torch.zeros(2**20).numpy())
        return chain(cell, folder, study, tracker)

    def with_little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        start(tmp_path / "study", chains(6), write)

    assert ended(in_child(with_little_room)) == 3
    assert f"{tmp_path / 'study'} takes no more (" in told.read_text()
    assert "large.npy cannot be written (File too large)" in told.read_text()
    assert "free some disk and give the same command again" in told.read_text()
    assert len(figures(tmp_path / "study")) == 2
    assert start(tmp_path / "study", chains(6), write) == {"done": 6}


def test_a_full_disk_under_the_index_is_told(tmp_path: Path, told: Path) -> None:
    def with_no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**10, 2**10))
        start(tmp_path / "study", chains(6))

    assert ended(in_child(with_no_room)) == 3
    assert "index.sqlite cannot be used" in told.read_text()
    assert start(tmp_path / "study", chains(6)) == {"done": 6}


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


def test_two_studies_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    study = tmp_path / "study"

    def slow(cell: Cell, folder: Path, root: Path, tracker: Tracker) -> Json:
        (tmp_path / "begun").touch()
        time.sleep(60)
        return {}

    child = in_child(lambda: start(study, chains(3), slow))
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    try:
        assert read_status(study).is_running
        assert read_status(study).running == ["chain c0 seed 0"]
        with pytest.raises(InputError, match="another process runs a study in"):
            start(study, chains(3))
    finally:
        os.kill(child, signal.SIGKILL)
        ended(child)
    status = read_status(study)
    assert (status.is_running, status.counts) == (False, {"waiting": 2, "interrupted": 1})
    assert "interrupted: chain c0 seed 0" in status.lines()
    assert start(study, chains(3)) == {"done": 3}
    with locked(study):
        pass


def test_a_broken_record_is_told_not_read(tmp_path: Path) -> None:
    cells = chains(3)
    start(tmp_path, cells)
    (tmp_path / CELLS / cells[1].id / CELL_FILE).write_text('{"id": ')
    with pytest.raises(InputError, match=r"is broken .* delete its folder"):
        start(tmp_path, cells)
    shutil.rmtree(tmp_path / CELLS / cells[1].id)
    assert start(tmp_path, cells) == {"done": 3}


def test_the_index_is_made_again_from_the_cells(tmp_path: Path) -> None:
    cells = chains(6)
    start(tmp_path, cells)
    expected = figures(tmp_path)
    (tmp_path / INDEX).unlink()
    with pytest.raises(InputError, match=r"has no index\.sqlite"):
        read_status(tmp_path)

    def never(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        raise AssertionError

    assert start(tmp_path, cells, never) == {"done": 6}
    assert figures(tmp_path) == expected


def test_a_killed_training_and_audit_are_taken_as_they_lie(
    world: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Killed after the last file was written, and before the cell was: nothing is run again."""
    shutil.copytree(undisturbed, tmp_path / "study")
    for folder in (tmp_path / "study" / CELLS).iterdir():
        (folder / CELL_FILE).unlink()
        folder.rename(folder.with_name(folder.name + ".partial"))
    times = {
        p.parent.name.partition(".")[0]: p.stat().st_mtime_ns for p in models_and_audits(tmp_path)
    }
    run_study("Tiny", lambda digests: tiny(world, digests), tmp_path / "study", quiet(), work=WORK)
    assert {p.parent.name: p.stat().st_mtime_ns for p in models_and_audits(tmp_path)} == times
    assert counts(tmp_path / "study") == counts(undisturbed)


def models_and_audits(root: Path) -> list[Path]:
    cells = root / "study" / CELLS
    return [*cells.glob("*/audit.json"), *cells.glob("*/model.safetensors")]


def test_status_tables_and_report_from_the_command_line(
    undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["study", "status", str(undisturbed)])
    printed = capsys.readouterr().out
    assert printed.startswith("A tiny study: not running; 4 cells: 4 done.")
    main(["study", "status", str(undisturbed), "--json"])
    assert json.loads(capsys.readouterr().out)["counts"] == {"done": 4}
    main(["study", "tables", str(undisturbed)])
    printed = capsys.readouterr().out
    assert "| 8 | gradient:steps=2 | T1 | 2 |" in printed
    main(["study", "report", str(undisturbed)])
    capsys.readouterr()
    page = (undisturbed / "report.html").read_text()
    assert page.count("<polyline") == 4
    assert all(
        f'href="cells/{row["id"]}/report.html"' in page for row in cell_rows(undisturbed)[1:]
    )


def test_progress_on_a_terminal_and_in_a_log(tmp_path: Path) -> None:
    def weak(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        if cell.identity["start"] == 4:
            raise RuntimeError("no such luck")
        return chain(cell, folder, study, tracker)

    seen = {}
    for terminal in (True, False):
        stream = StringIO()
        console = Console(file=stream, force_terminal=terminal, width=160)
        study = tmp_path / str(terminal)
        run_study("Chains", lambda _: chains(6), study, console, work={"chain": weak})
        seen[terminal] = stream.getvalue()
    for text in seen.values():
        assert "failed: chain c4 seed 4: RuntimeError: no such luck" in text
    assert "5 of 6 cells done, 1 failed" in seen[True]
    assert "chain c0 seed 0: chain" in seen[True]
    lines = seen[False].splitlines()
    assert lines[0].startswith("1 of 6 cells done, ")
    assert "left: chain c0 seed 0, " in lines[0]
    assert lines[-1].startswith("5 of 6 cells done, 1 failed: chain c5 seed 5, ")


def test_a_failed_cell_ends_the_command_with_1(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (world / "tiny.toml").read_text().replace("test_resnet", "no_such_net")
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(SystemExit) as refused:
        main(["study", str(tmp_path / "bad.toml"), "--out", str(tmp_path / "bad")])
    assert refused.value.code == 1
    printed = capsys.readouterr()
    assert "failed: training levels small: timm has no model 'no_such_net'" in printed.err
    assert "3 blocked, 1 failed. The same command tries again what failed." in printed.out


def test_a_record_of_another_cell_is_not_taken_for_its_own(tmp_path: Path) -> None:
    cells = chains(3)
    start(tmp_path, cells)
    first, second = (tmp_path / CELLS / cell.id for cell in cells[1:])
    own = (second / CELL_FILE).read_text()
    expected = figures(tmp_path)
    (second / CELL_FILE).write_text((first / CELL_FILE).read_text())
    with pytest.raises(InputError, match=f"it is the record of {cells[1].id}"):
        start(tmp_path, cells)
    del expected[cells[2].id]
    assert figures(tmp_path) == expected  # the others are still in the index
    record = unsealed(own)
    for odd in ({"perturbations": 7}, {"n": 2**70}, {"n": True}, {"pairs": [[1]]}):
        (second / CELL_FILE).write_text(sealed(record | {"figures": odd}))
        with pytest.raises(InputError, match="is broken"):
            start(tmp_path, cells)
    (second / CELL_FILE).write_text(own)
    second.rename(tmp_path / "elsewhere")
    second.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="its folder is a link"):
        start(tmp_path, cells)


def test_a_lock_that_is_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(InputError, match="cannot be used as a lock"):
        start(tmp_path, chains(1))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("CREATE VIEW v AS SELECT 1", "it holds the view 'v'"),
        ("CREATE TRIGGER t AFTER UPDATE ON cells BEGIN DELETE FROM cells; END", "the trigger 't'"),
        ("ALTER TABLE cells ADD COLUMN x", "it holds the table 'cells'"),
        ("UPDATE perturbations SET n_fooled = n + 1", "its n_fooled exceeds its"),
        ("UPDATE perturbations SET n = 'many'", "its n is many, which is not a count"),
        ("UPDATE pairs SET only_attack = 1000000000000", "counts more images than there are"),
        ("DELETE FROM pairs", "is not the index that a study wrote"),
    ],
)
def test_a_strange_index_is_refused(
    undisturbed: Path, tmp_path: Path, spoil: str, said: str
) -> None:
    shutil.copy(undisturbed / INDEX, tmp_path / INDEX)
    base = sqlite3.connect(tmp_path / INDEX)
    base.execute(spoil)
    base.commit()
    base.close()
    with pytest.raises(InputError, match=said):
        read_rows(tmp_path)


def test_a_strange_index_prints_no_escapes(undisturbed: Path, tmp_path: Path) -> None:
    shutil.copy(undisturbed / INDEX, tmp_path / INDEX)
    base = sqlite3.connect(tmp_path / INDEX)
    base.execute("UPDATE cells SET state = 'failed', name = ?, error = ?", ("a\x1b[2J", "b\x07"))
    base.execute("UPDATE study SET value = 'c\x1b]0;'")
    base.commit()
    base.close()
    assert all(line.isprintable() for line in read_status(tmp_path).lines())


@pytest.mark.parametrize("unfinished", [False, True])
def test_a_model_that_was_changed_is_not_audited_as_the_same(
    world: Path, undisturbed: Path, tmp_path: Path, unfinished: bool
) -> None:
    study = shutil.copytree(undisturbed, tmp_path / "study")
    (training,) = (study / CELLS).glob("training-*")
    good = (training / "model.json").read_bytes()
    card = json.loads(good)
    card["mean"] = [0.1, 0.2, 0.3]
    (training / "model.json").write_text(json.dumps(card))
    for audited in list((study / CELLS).glob("audit-*"))[1:]:
        shutil.rmtree(audited)
    if unfinished:
        (training / CELL_FILE).unlink()
        training.rename(training.with_name(training.name + ".partial"))
    counted = run_study("Tiny", lambda digests: tiny(world, digests), study, quiet(), work=WORK)
    if unfinished:  # it is trained again
        assert set(counted) == {"done"}
        assert json.loads((training / "model.json").read_bytes())["mean"] != card["mean"]
        assert counts(study) == counts(undisturbed)
        return
    assert counted["failed"] > 0
    (error,) = {error for _, error in read_status(study).failed}
    assert "does not hold the model that was trained there" in error
