"""How a study stands, from its index alone."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from straylight.audit.schema import Json
from straylight.core.errors import quoted
from straylight.study.run.console import span
from straylight.study.run.index import INDEX, RUNNING, WAITING, Index
from straylight.study.run.runner import DONE
from straylight.study.run.study import is_running

INTERRUPTED = "interrupted"
LONGEST = 2**12  # characters of a name or an error


@dataclass(frozen=True)
class Status:
    """How a study stands.

    Attributes:
        title: Of the study.
        is_running: A process runs it now.
        counts: Cells in each state.
        seconds: That finished cells took.
        seconds_left: Of one worker, expected of the others (None: nothing to expect it by).
        running: Names of the cells that run, or ran when the study was killed.
        failed: Names of those that failed, and why.
    """

    title: str
    is_running: bool
    counts: dict[str, int]
    seconds: float
    seconds_left: float | None
    running: list[str]
    failed: list[tuple[str, str]]

    def to_json(self) -> Json:
        return asdict(self)

    def lines(self) -> list[str]:
        """Write it for a reader."""
        said = ", ".join(f"{n} {state}" for state, n in sorted(self.counts.items()))
        how = "running now" if self.is_running else "not running"
        lines = [f"{self.title}: {how}; {sum(self.counts.values())} cells: {said}."]
        left = "" if self.seconds_left is None else f", about {span(self.seconds_left)} left"
        lines.append(f"Finished cells took {span(self.seconds)} of one worker{left}.")
        word = "running" if self.is_running else INTERRUPTED
        lines += [f"{word}: {name}" for name in self.running]
        lines += [f"failed: {name}: {error}" for name, error in self.failed]
        return lines


def read_status(study: Path) -> Status:
    """Read how a study stands.

    Raises:
        InputError: If the folder holds no study.
    """
    index = Index(study / INDEX)
    try:
        alive = is_running(study)
        states = index.rows("SELECT state, count(*) AS n FROM cells GROUP BY state")
        counts = {quoted(row["state"]): row["n"] for row in states}
        if not alive and RUNNING in counts:
            counts[INTERRUPTED] = counts.pop(RUNNING)
        (spent,) = index.rows("SELECT total(seconds) AS s FROM cells WHERE state = ?", DONE)
        (ahead,) = index.rows(
            "SELECT total(planned_seconds) AS s FROM cells WHERE state IN (?, ?)", WAITING, RUNNING
        )
        if not math.isfinite(spent["s"] + ahead["s"]):
            raise index.broken("its times are not times")
        pace = index.pace()
        left = None if pace is None or not ahead["s"] else ahead["s"] * pace
        names = "SELECT name, error FROM cells WHERE state = ? ORDER BY position"
        return Status(
            index.title,
            alive,
            counts,
            spent["s"],
            left,
            [quoted(row["name"], LONGEST) for row in index.rows(names, RUNNING)],
            [
                (quoted(row["name"], LONGEST), quoted(row["error"], LONGEST))
                for row in index.rows(names, "failed")
            ],
        )
    finally:
        index.close()
