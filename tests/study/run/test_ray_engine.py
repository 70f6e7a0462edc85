"""Cells as Ray tasks on a real local Ray: the same figures, whoever is killed."""

import gc
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paths import ROOT, TESTS
from straylight.audit.schema import Json
from straylight.core.errors import InputError
from straylight.core.progress import Tracker
from straylight.study.config.grid import Grid
from straylight.study.config.toml import TomlDocument
from straylight.study.run.cell import Cell
from straylight.study.run.cells import make_cells
from straylight.study.run.ray_engine import RayEngine, check_port_open
from straylight.study.run.record import CELLS
from straylight.study.run.study import run_study
from studies import chain, chains, counts, figures, make_world, quiet

# Ray leaves sockets, log files and its processes to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
HERE = TESTS / "support"
TWO = RayEngine(workers=2)


@pytest.fixture(autouse=True)
def path_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ray's workers import what these tests do."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{HERE}")


def held(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
    """Run the first chain, and hold the others, so that there is something to kill."""
    while cell.identity["start"] >= 3 and hold_of(study).exists():
        time.sleep(0.05)
    return chain(cell, folder, study, tracker)


def hold_of(study: Path) -> Path:
    """Return the file whose presence holds cells."""
    return study.with_name(f"{study.name}.hold")


def mortal(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
    """Kill the worker in the middle of the first try; raise, or die each time, if told so."""
    found = chain(cell, folder, study, tracker)
    if cell.identity["start"] == 3:
        raise RuntimeError("no such luck")
    if cell.identity["start"] == 6 or (
        cell.identity["start"] == 1 and not (folder / "died").exists()
    ):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return found


def start(study: Path, work: object, engine: RayEngine = TWO) -> dict[str, int]:
    cells = chains(9)
    return dict(
        run_study("Chains", lambda _: cells, study, quiet(), engine=engine, work={"chain": work})
    )


def test_the_driver_killed_and_resumed(tmp_path: Path) -> None:
    hold_of(tmp_path).touch()
    child = os.fork()
    if child == 0:
        try:
            start(tmp_path, held)
        finally:
            os._exit(0)
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob(f"{CELLS}/*[0-9a-f]")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    hold_of(tmp_path).unlink()
    assert 0 < len(list(tmp_path.glob(f"{CELLS}/*[0-9a-f]"))) < 9
    expected = run_study(
        "Chains", lambda _: chains(9), tmp_path / "expected", quiet(), work={"chain": chain}
    )
    assert expected == {"done": 9}
    assert run_study("Chains", lambda _: chains(9), tmp_path, quiet(), work={"chain": chain}) == {
        "done": 9
    }
    assert figures(tmp_path) == figures(tmp_path / "expected")


@pytest.fixture(scope="module")
def ray_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Ray of two CPUs for the tests that do not kill it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{HERE}")
        ray, own = TWO.connect()
        assert own
        yield
        ray.shutdown()
    gc.collect()  # what Ray leaves behind is found here, and not by another test


def test_workers_killed_cells_retried_and_failures_told(tmp_path: Path, ray_here: None) -> None:
    assert start(tmp_path / "ray", mortal) == {"done": 3, "failed": 2, "blocked": 4}
    died = [folder.parent.name for folder in (tmp_path / "ray" / CELLS).glob("*/died")]
    assert chains(9)[1].id in died
    run_study("Chains", lambda _: chains(9), tmp_path / "in", quiet(), work={"chain": chain})
    expected = figures(tmp_path / "in")
    assert {name: expected[name] for name in figures(tmp_path / "ray")} == figures(tmp_path / "ray")
    assert start(tmp_path / "ray", chain) == {"done": 9}
    assert figures(tmp_path / "ray") == expected


def test_ray_gives_the_figures_of_the_process(tmp_path: Path, ray_here: None) -> None:
    world = make_world(tmp_path / "world")
    grid = Grid(TomlDocument(world / "tiny.toml"))
    for name, engine in {"in": {}, "ray": {"engine": TWO}}.items():
        ended = run_study(
            "Tiny",
            lambda digests: make_cells(grid, digests.compute),
            tmp_path / name,
            quiet(),
            **engine,
        )
        assert ended == {"done": 4}
    assert counts(tmp_path / "ray") == counts(tmp_path / "in")
    assert len(counts(tmp_path / "ray")) == 3 * 8


def test_a_gpu_that_is_not_there_is_not_waited_for() -> None:
    with pytest.raises(InputError, match="a cell reserves 1 GPUs and there are 0 here"):
        RayEngine(gpus=1.0).check({"CPU": 2.0})
    RayEngine(gpus=1.0, address="auto").check({"CPU": 2.0})


def test_a_cluster_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(InputError, match=r"there is no Ray at 127\.0\.0\.1:1 "):
        check_port_open("127.0.0.1:1")
    check_port_open("auto")
