"""The index of a study: one SQLite file with a row for each cell, perturbation and pair.

The cells' folders are the truth. The index is made of them, by the one process that runs the study;
whoever wants to (pandas, DuckDB, a notebook) reads it meanwhile.
"""

import math
import sqlite3
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from straylight.audit.schema import Json
from straylight.core.errors import InputError, quoted, reason_of
from straylight.study.config.matrix import AXES
from straylight.study.run.cell import Cell
from straylight.study.run.figures import FIGURES, PAIRS, PERTURBATIONS
from straylight.study.run.runner import DONE, Outcome

INDEX = "index.sqlite"
MOST_STEPS, STEPS_A_BYTE, STEPS = 10**7, 20, 10**4  # of SQLite's machine, to read an index
LONGEST_TITLE = 400
WAITING, RUNNING = "waiting", "running"
TABLES = f"""
CREATE TABLE IF NOT EXISTS study (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS digests (stamp TEXT PRIMARY KEY, digest TEXT);
CREATE TABLE IF NOT EXISTS cells (id TEXT PRIMARY KEY, position INTEGER, kind TEXT, name TEXT,
  state TEXT, error TEXT, seconds REAL, planned_passes INTEGER, planned_seconds REAL,
  {", ".join((*AXES, *FIGURES))});
CREATE TABLE IF NOT EXISTS perturbations (cell TEXT, {", ".join(PERTURBATIONS)});
CREATE TABLE IF NOT EXISTS pairs (cell TEXT, {", ".join(PAIRS)});
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
            self.base.execute("PRAGMA trusted_schema = OFF")
            self._check_schema()
            if not write:
                self._bound()
            if write:
                # What is lost with the power is made again from the cells' folders.
                self.base.execute("PRAGMA synchronous = OFF")
                self.base.executescript(TABLES)
            self.base.execute("SELECT count(*) FROM cells")

    def close(self) -> None:
        self.base.close()

    def _check_schema(self) -> None:
        """Check that the file holds our tables and their indexes only: views and triggers are code.

        Raises:
            InputError: If not.
        """
        for row in self.base.execute("SELECT type, name, sql FROM sqlite_master"):
            if tuple(row) not in own_schema():
                self.base.close()
                raise self.broken(f"it holds the {row['type']} '{quoted(row['name'])}'")

    def _bound(self) -> None:
        """Bound what reading may cost by the size of the file."""
        left = [(MOST_STEPS + STEPS_A_BYTE * self.path.stat().st_size) // STEPS]

        def stop() -> bool:
            left[0] -= 1
            return left[0] < 0

        self.base.set_progress_handler(stop, STEPS)

    def broken(self, reason: str) -> InputError:
        """Return the error for an index that is not one that a study wrote."""
        return InputError(
            f"{self.path} is not the index that a study wrote ({reason}): delete it; it is made again "
            "from the cells when the study goes on."
        )

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
        for table, columns in (("perturbations", PERTURBATIONS), ("pairs", PAIRS)):
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
        return quoted(found[0]["value"], LONGEST_TITLE) if found else ""

    def pace(self) -> float | None:
        """Seconds that finished cells took for each that was planned, if any was."""
        (found,) = self.rows(
            "SELECT sum(seconds) / sum(planned_seconds) AS pace FROM cells "
            f"WHERE state = '{DONE}' AND planned_seconds > 0"
        )
        pace = found["pace"]
        if pace is not None and not (isinstance(pace, float) and 0 <= pace < math.inf):
            raise self.broken("its times are not times")
        return pace or None

    def digests(self) -> "Cache":
        """Return the cache of data digests."""
        return Cache(self.base)


@cache
def own_schema() -> frozenset[tuple[str, str, str | None]]:
    """Return what SQLite keeps of our tables and indexes: type, name and text of each."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.executescript(TABLES)
        return frozenset(base.execute("SELECT type, name, sql FROM sqlite_master"))


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
