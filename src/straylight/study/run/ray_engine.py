"""The same cells as Ray tasks, on this machine or on a cluster (the extra ``ray``)."""

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
from straylight.study.run.cell import Cell
from straylight.study.run.engine import Todo, blocked
from straylight.study.run.record import CELLS
from straylight.study.run.runner import DONE, FAILED, PARTIAL, Outcome, run_cell
from straylight.study.run.work import Work

RETRIES = 3
OBJECTS = 2**27  # bytes of Ray's object store: outcomes are small, and images are mapped from files
STARTS = 3  # of a Ray of its own
LOOK = 0.5  # seconds between two looks


@dataclass(frozen=True, kw_only=True)
class RayEngine:
    """Runs cells as Ray tasks; a training is an argument of the audits that need it.

    Attributes:
        workers: How many cells at a time, where it starts a Ray of its own.
        threads: CPUs that a cell reserves.
        gpus: GPUs, or a share of one, that a cell reserves.
        address: Of a running cluster, or empty: a Ray of its own on this machine, on loopback.
    """

    workers: int = 1
    threads: int = 1
    gpus: float = 0.0
    address: str = ""

    def __call__(
        self, todo: Todo, begin: Callable[[Cell], None], tracker: Tracker
    ) -> Iterator[Outcome]:
        """Run the cells; see `Engine`.

        A cell whose worker dies is tried again on another, where it goes on; an exception of the cell
        itself is its outcome, and is not tried again.
        """
        ray, own = self.connect()
        try:
            self.check(ray.cluster_resources())
            task = ray.remote(
                num_cpus=self.threads,
                num_gpus=self.gpus,
                max_retries=RETRIES,
                retry_exceptions=False,
            )(remote_cell)
            study, tasks = todo.study.resolve(), dict[str, Any]()
            for cell in todo.cells:
                needs = [tasks[name] for name in cell.needs if name in tasks]
                tasks[cell.id] = task.remote(cell, study, todo.work[cell.kind], *needs)
            yield from follow(ray, todo, tasks, begin)
        finally:
            if own:
                ray.shutdown()

    def check(self, resources: dict[str, float]) -> None:
        """Check that a Ray that does not grow has what a cell reserves: Ray would wait for it for ever."""
        found = resources.get("GPU", 0.0)
        if not self.address and found < self.gpus:
            raise InputError(
                f"a cell reserves {self.gpus:g} GPUs and there are {found:g} here: "
                "set gpus = 0 in the file."
            )

    def connect(self) -> tuple[Any, bool]:
        """Start or join a Ray, unless the caller has; say whether it is to be left again.

        Raises:
            InputError: If Ray is not installed, does not start, or the cluster does not answer.
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
            see_open(self.address)
            settings["address"] = self.address
        for left in reversed(range(STARTS)):
            try:
                ray.init(**settings)
                break
            except Exception as error:
                # Ray raises bare exceptions, also where a busy machine was slow to start it.
                ray.shutdown()
                if not left or self.address:
                    place = f"at {self.address}" if self.address else "of its own that starts here"
                    reason = " ".join(str(error).split())[:300]
                    raise InputError(f"there is no Ray {place} ({reason}).") from error
        return ray, True


def see_open(address: str) -> None:
    """Check that something listens at HOST:PORT: Ray itself would try for minutes.

    Raises:
        InputError: If not.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"there is no Ray at {address} ({error}).") from error


def remote_cell(cell: Cell, study: Path, work: Work, *needs: Outcome) -> Outcome:
    """Run a cell in a worker, if those that it needs are done."""
    keep_freed_memory()
    if any(outcome.state != DONE for outcome in needs):
        return blocked(cell)
    return run_cell(cell, study, work, Silent())


def follow(
    ray: Any,  # noqa: ANN401
    todo: Todo,
    tasks: dict[str, Any],
    begin: Callable[[Cell], None],
) -> Iterator[Outcome]:
    """Yield how the cells end, as they end."""
    began = time.time()
    waiting, begun = {tasks[cell.id]: cell for cell in todo.cells}, set[str]()
    states: dict[str, str] = {}
    while waiting:
        ready, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=LOOK)
        ended = [(ref, waiting.pop(ref)) for ref in ready]
        running = running_since(todo.study, began)
        for cell in waiting.values():
            if cell.id in running and cell.id not in begun:
                begun.add(cell.id)
                begin(cell)
        for ref, cell in ended:
            outcome = outcome_of(ray, ref, cell, todo.study, states)
            states[cell.id] = outcome.state
            yield outcome


def outcome_of(
    ray: Any,  # noqa: ANN401
    ref: Any,  # noqa: ANN401
    cell: Cell,
    study: Path,
    states: dict[str, str],
) -> Outcome:
    """Return how a cell ended, also where its worker could not say it."""
    try:
        outcome: Outcome = ray.get(ref)
    except ray.exceptions.RayError as error:
        # An audit whose training died gets the training's error in the place of its argument.
        if any(states.get(name, DONE) != DONE for name in cell.needs):
            return blocked(cell)
        reason = " ".join(str(error).split())[:300]
        return Outcome(
            cell.id,
            FAILED,
            error=f"its worker died {RETRIES + 1} times, perhaps for want of memory ({reason}).",
        )
    if outcome.state == DONE and not (study / CELLS / cell.id).exists():
        return Outcome(
            cell.id,
            FAILED,
            error=f"it was made on a machine whose {study.resolve()} is another: give --out on a file "
            "system that all machines share.",
        )
    return outcome


def running_since(study: Path, began: float) -> set[str]:
    """Return the ids of the cells whose unfinished folder was touched since then."""
    found = set()
    for entry in os.scandir(study / CELLS):
        with suppress(FileNotFoundError):  # it has got its final name meanwhile
            if entry.name.endswith(PARTIAL) and entry.stat().st_mtime >= began:
                found.add(entry.name.removesuffix(PARTIAL))
    return found
