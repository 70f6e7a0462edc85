"""The index of a study: one SQLite file with a row for each cell, perturbation and pair.

The cells' folders are the truth. The index is made of them, by the one process that runs the study;
whoever wants to (pandas, DuckDB, a notebook) reads it meanwhile.
"""

import sqlite3
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from pathlib import Path

from straylight.errors import InputError, reason_of
from straylight.schema import Json
from straylight.study.cell import Cell
from straylight.study.matrix import AXES
from straylight.study.running import DONE, Outcome

INDEX = "index.sqlite"
WAITING, RUNNING = "waiting", "running"
PERTURBATION = (
    *("name", "attack", "role", "threat_model", "method", "learned_on", "target", "copy_of"),
    *("n", "n_fooled", "n_fooled_raw", "n_correct", "n_ceiling"),
    *("n_on_target", "n_elsewhere", "n_moved", "dominant_class", "n_dominant"),
    *("passes", "seconds", "l2", "linf"),
)
PAIR = ("attack", "control", "kind", "only_attack", "only_control", "n_control")
FIGURES = ("n", "n_correct", "eps", "validation_accuracy")
TABLES = f"""
CREATE TABLE IF NOT EXISTS study (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS digests (stamp TEXT PRIMARY KEY, digest TEXT);
CREATE TABLE IF NOT EXISTS cells (id TEXT PRIMARY KEY, position INTEGER, kind TEXT, name TEXT,
  state TEXT, error TEXT, seconds REAL, planned_passes INTEGER, planned_seconds REAL,
  {", ".join((*AXES, *FIGURES))});
CREATE TABLE IF NOT EXISTS perturbations (cell TEXT, {", ".join(PERTURBATION)});
CREATE TABLE IF NOT EXISTS pairs (cell TEXT, {", ".join(PAIR)});
CREATE INDEX IF NOT EXISTS perturbations_cell ON perturbations (cell);
CREATE INDEX IF NOT EXISTS pairs_cell ON pairs (cell);
"""


class Index:
    """The index, opened.

    Args:
        path: The file.
        write: Make it if it is not there, and let it be written.

    Raises:
        InputError: If it is missing, is no SQLite file, or cannot be written.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        if not write and not path.exists():
            raise InputError(
                f"{path.parent} has no {path.name}: give a folder of 'straylight study'."
            )
        self.path = path
        check_own(path)
        with self._telling():
            # Not "ro": whoever reads first after a kill rolls the unfinished step back.
            mode = "rwc" if write else "rw"
            self.base = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=30
            )
            self.base.row_factory = sqlite3.Row
            if write:
                # What is lost with the power is made again from the cells' folders.
                self.base.execute("PRAGMA synchronous = OFF")
                self.base.executescript(TABLES)
            self.base.execute("SELECT count(*) FROM cells")

    def close(self) -> None:
        self.base.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(
                f"{self.path} cannot be used ({reason_of(error)}): free some disk, or delete it; it is "
                "made again from the cells when the study goes on."
            ) from error

    def begin(self, title: str, cells: list[Cell]) -> None:
        """Enter the cells of the study, and forget those that are no longer in it."""
        columns = (
            "id",
            "position",
            "kind",
            "name",
            "state",
            *AXES,
            "planned_passes",
            "planned_seconds",
        )
        rows = [
            [
                *(cell.id, position, cell.kind, cell.name, WAITING),
                *map(cell.labels.get, AXES),
                *(cell.cost.passes, cell.cost.seconds),
            ]
            for position, cell in enumerate(cells)
        ]
        with self._telling(), self.base:
            for table in ("cells", "perturbations", "pairs"):
                self.base.execute(f"DELETE FROM {table}")
            self.base.execute("REPLACE INTO study VALUES ('title', ?)", (title,))
            self.base.executemany(insert("cells", columns), rows)

    def mark(self, id: str, state: str) -> None:
        """Enter what has become of a cell."""
        with self._telling(), self.base:
            self.base.execute("UPDATE cells SET state = ? WHERE id = ?", (state, id))

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Enter how cells ended, and what they found, in one step."""
        with self._telling(), self.base:
            for outcome in outcomes:
                self._record(outcome)

    def _record(self, outcome: Outcome) -> None:
        figures = outcome.figures
        said = tuple(figures.get(name) for name in FIGURES)
        self.base.execute(
            f"UPDATE cells SET state = ?, error = ?, seconds = ?, "
            f"{', '.join(f'{name} = ?' for name in FIGURES)} WHERE id = ?",
            (outcome.state, outcome.error, outcome.seconds, *said, outcome.id),
        )
        for table, columns in (("perturbations", PERTURBATION), ("pairs", PAIR)):
            rows = [[outcome.id, *map(item.get, columns)] for item in figures.get(table, ())]
            self.base.executemany(insert(table, ("cell", *columns)), rows)

    def rows(self, query: str, *values: object) -> list[Json]:
        """Return the rows of a query as plain data."""
        with self._telling():
            return [dict(row) for row in self.base.execute(query, values)]

    @property
    def title(self) -> str:
        """The study's title."""
        found = self.rows("SELECT value FROM study WHERE key = 'title'")
        return str(found[0]["value"]) if found else ""

    def pace(self) -> float | None:
        """Seconds that finished cells took for each that was planned, if any was."""
        (found,) = self.rows(
            "SELECT sum(seconds) / sum(planned_seconds) AS pace FROM cells "
            f"WHERE state = '{DONE}' AND planned_seconds > 0"
        )
        return found["pace"] or None

    def digests(self) -> "Cache":
        """Return the cache of data digests."""
        return Cache(self.base)


def check_own(path: Path) -> None:
    """Check that the index and the files that SQLite writes beside it are files, not links or devices.

    Raises:
        InputError: If not.
    """
    for end in ("", "-journal", "-wal", "-shm"):
        file = path.with_name(path.name + end)
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise InputError(
                f"{file} is not a file of its own: delete it; the index is made again from the cells when "
                "the study goes on."
            )


class Cache(MutableMapping[str, str]):
    """Digests by stamp, kept in the index."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self.base = base

    def __getitem__(self, stamp: str) -> str:
        with closing(
            self.base.execute("SELECT digest FROM digests WHERE stamp = ?", (stamp,))
        ) as found:
            row = found.fetchone()
        if row is None:
            raise KeyError(stamp)
        return str(row[0])

    def __setitem__(self, stamp: str, digest: str) -> None:
        with self.base:
            self.base.execute("REPLACE INTO digests VALUES (?, ?)", (stamp, digest))

    def __delitem__(self, stamp: str) -> None:
        with self.base:
            self.base.execute("DELETE FROM digests WHERE stamp = ?", (stamp,))

    def __iter__(self) -> Iterator[str]:
        return iter([row[0] for row in self.base.execute("SELECT stamp FROM digests")])

    def __len__(self) -> int:
        return int(self.base.execute("SELECT count(*) FROM digests").fetchone()[0])


def insert(table: str, columns: Iterable[str]) -> str:
    """Write an INSERT with a place for each column."""
    names = tuple(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
