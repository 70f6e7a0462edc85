"""The status of a study, read from its index alone."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from straylight.audit.schema import Json
from straylight.core.errors import quote_text
from straylight.study.config.cost import format_duration
from straylight.study.run.index import INDEX, RUNNING, WAITING, StudyIndex
from straylight.study.run.lock import is_study_running
from straylight.study.run.runner import DONE

INTERRUPTED = "interrupted"
LONGEST = 2**12  # characters of a name or an error


@dataclass(frozen=True)
class StudyStatus:
    """The status of a study.

    Attributes:
        title: Title of the study.
        is_running: Whether a process is running it.
        counts: Number of cells in each state.
        seconds: Wall time of all finished cells.
        seconds_left: Expected time of the other cells on one worker (None: unknown).
        running: Names of the cells that are running, or were when the study was killed.
        failed: Names and errors of the failed cells.
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
        """Format the status as lines of text."""
        counts = ", ".join(f"{n} {state}" for state, n in sorted(self.counts.items()))
        how = "running now" if self.is_running else "not running"
        lines = [f"{self.title}: {how}; {sum(self.counts.values())} cells: {counts}."]
        left = (
            ""
            if self.seconds_left is None
            else f", about {format_duration(self.seconds_left)} left"
        )
        lines.append(f"Finished cells took {format_duration(self.seconds)} of one worker{left}.")
        word = "running" if self.is_running else INTERRUPTED
        lines += [f"{word}: {name}" for name in self.running]
        lines += [f"failed: {name}: {error}" for name, error in self.failed]
        return lines


def read_study_status(study: Path) -> StudyStatus:
    """Read the status of a study.

    Raises:
        InputError: If the folder does not hold a study.
    """
    index = StudyIndex(study / INDEX)
    try:
        alive = is_study_running(study)
        states = index.rows("SELECT state, count(*) AS n FROM cells GROUP BY state")
        counts = {quote_text(row["state"]): row["n"] for row in states}
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
        return StudyStatus(
            index.title,
            alive,
            counts,
            spent["s"],
            left,
            [quote_text(row["name"], LONGEST) for row in index.rows(names, RUNNING)],
            [
                (quote_text(row["name"], LONGEST), quote_text(row["error"], LONGEST))
                for row in index.rows(names, "failed")
            ],
        )
    finally:
        index.close()
