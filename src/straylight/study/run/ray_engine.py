"""The Ray engine: cells as Ray tasks, on this machine or on a cluster (the extra ``ray``)."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from straylight.core.errors import InputError
from straylight.core.malloc import keep_freed_memory
from straylight.core.progress import Silent, Tracker
from straylight.study.run.cell import Cell, CellWork
from straylight.study.run.engine import PendingCells, blocked_outcome
from straylight.study.run.record import CELLS
from straylight.study.run.runner import DONE, FAILED, PARTIAL, Outcome, run_cell

RETRIES = 3
OBJECTS = 2**27  # bytes of Ray's object store: outcomes are small, and images are memory-mapped
STARTS = 3  # attempts to start a local Ray
LOOK = 0.5  # seconds between two polls


@dataclass(frozen=True, kw_only=True)
class RayEngine:
    """Runs cells as Ray tasks; the outcome of a training is an argument of the audits that need it.

    Attributes:
        workers: How many cells run at a time on a local Ray.
        threads: CPUs that a cell reserves.
        gpus: GPUs, or a share of one, that a cell reserves.
        address: Address of a running cluster (empty: start a local Ray, on loopback only).
    """

    workers: int = 1
    threads: int = 1
    gpus: float = 0.0
    address: str = ""

    def __call__(
        self, pending: PendingCells, begin: Callable[[Cell], None], tracker: Tracker
    ) -> Iterator[Outcome]:
        """Run the cells; see `Engine`.

        A cell whose worker dies is retried on another worker, where it resumes. If the cell itself
        raises, it fails and is not retried.
        """
        ray, own = self.connect()
        try:
            self.check(ray.cluster_resources())
            task = ray.remote(
                num_cpus=self.threads,
                num_gpus=self.gpus,
                max_retries=RETRIES,
                retry_exceptions=False,
            )(_run_remote_cell)
            study, tasks = pending.study.resolve(), dict[str, Any]()
            for cell in pending.cells:
                needs = [tasks[name] for name in cell.needs if name in tasks]
                tasks[cell.id] = task.remote(cell, study, pending.work[cell.kind], *needs)
            yield from _follow_tasks(ray, pending, tasks, begin)
        finally:
            if own:
                ray.shutdown()

    def check(self, resources: dict[str, float]) -> None:
        """Raise if a local Ray lacks the GPUs that a cell reserves: Ray would wait for them forever."""
        found = resources.get("GPU", 0.0)
        if not self.address and found < self.gpus:
            raise InputError(
                f"a cell reserves {self.gpus:g} GPUs and there are {found:g} here: "
                "set gpus = 0 in the file."
            )

    def connect(self) -> tuple[Any, bool]:
        """Start or join a Ray, unless one is connected; return it, and whether to disconnect later.

        Raises:
            InputError: If Ray is not installed or does not start, or if the cluster does not answer.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise InputError("--engine ray needs Ray: 'pip install straylight[ray]'.") from None
        if ray.is_initialized():
            return ray, False
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if not self.address:
            settings |= {
                "num_cpus": self.workers * self.threads,
                "include_dashboard": False,
                "object_store_memory": OBJECTS,
                "_node_ip_address": "127.0.0.1",
            }
        else:
            check_port_open(self.address)
            settings["address"] = self.address
        for left in reversed(range(STARTS)):
            try:
                ray.init(**settings)
                break
            except Exception as error:
                # Ray raises bare exceptions, also if a busy machine was slow to start it.
                ray.shutdown()
                if not left or self.address:
                    reason = " ".join(str(error).split())[:300]
                    if self.address:
                        raise InputError(
                            f"there is no Ray at {self.address} ({reason})."
                        ) from error
                    raise InputError(f"Ray cannot be started here ({reason}).") from error
        return ray, True


def check_port_open(address: str) -> None:
    """Check that a server listens at HOST:PORT: Ray itself would try for minutes.

    Raises:
        InputError: If there is none.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"there is no Ray at {address} ({error}).") from error


def _run_remote_cell(cell: Cell, study: Path, work: CellWork, *needs: Outcome) -> Outcome:
    """Run a cell in a worker, unless a cell that it needs has failed."""
    keep_freed_memory()
    if any(outcome.state != DONE for outcome in needs):
        return blocked_outcome(cell)
    return run_cell(cell, study, work, Silent())


def _follow_tasks(
    ray: Any,  # noqa: ANN401
    pending: PendingCells,
    tasks: dict[str, Any],
    begin: Callable[[Cell], None],
) -> Iterator[Outcome]:
    """Yield the outcomes of the cells as they end."""
    began = time.time()
    waiting, begun = {tasks[cell.id]: cell for cell in pending.cells}, set[str]()
    states: dict[str, str] = {}
    while waiting:
        ready, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=LOOK)
        ended = [(ref, waiting.pop(ref)) for ref in ready]
        running = _list_running_since(pending.study, began)
        for cell in waiting.values():
            if cell.id in running and cell.id not in begun:
                begun.add(cell.id)
                begin(cell)
        for ref, cell in ended:
            outcome = _read_task_outcome(ray, ref, cell, pending.study, states)
            states[cell.id] = outcome.state
            yield outcome


def _read_task_outcome(
    ray: Any,  # noqa: ANN401
    ref: Any,  # noqa: ANN401
    cell: Cell,
    study: Path,
    states: dict[str, str],
) -> Outcome:
    """Return the outcome of a cell, also if its worker died."""
    try:
        outcome: Outcome = ray.get(ref)
    except ray.exceptions.RayError as error:
        # An audit whose training died receives the error of the training as its argument.
        if any(states.get(name, DONE) != DONE for name in cell.needs):
            return blocked_outcome(cell)
        reason = " ".join(str(error).split())[:300]
        return Outcome(
            cell.id,
            FAILED,
            error=f"its worker died {RETRIES + 1} times, perhaps because memory ran out ({reason}).",
        )
    if outcome.state == DONE and not (study / CELLS / cell.id).exists():
        return Outcome(
            cell.id,
            FAILED,
            error=f"it ran on a machine with another {study.resolve()}: give an --out on a file system "
            "that all machines share.",
        )
    return outcome


def _list_running_since(study: Path, began: float) -> set[str]:
    """Return the ids of the cells whose unfinished folder was touched since a time."""
    found = set()
    for entry in os.scandir(study / CELLS):
        with suppress(FileNotFoundError):  # it was renamed to its final name meanwhile
            if entry.name.endswith(PARTIAL) and entry.stat().st_mtime >= began:
                found.add(entry.name.removesuffix(PARTIAL))
    return found
