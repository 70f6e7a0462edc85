"""The index of a study: one SQLite file with a row for each cell, perturbation and pair.

The folders of the cells are authoritative. The index is built from them by the one process that runs the
study; pandas, DuckDB or a notebook may read it in the meantime.
"""

import math
import sqlite3
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from straylight.audit.schema import Json
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.study.config.matrix import AXES
from straylight.study.run.cell import Cell
from straylight.study.run.index_columns import FIGURES, PAIRS, PERTURBATIONS
from straylight.study.run.runner import DONE, Outcome

INDEX = "index.sqlite"
MOST_STEPS, STEPS_A_BYTE, STEPS = 10**7, 20, 10**4  # of SQLite's virtual machine, to read an index
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


class StudyIndex:
    """An open index.

    Args:
        path: The file.
        write: Create it if it is missing, and open it for writing.

    Raises:
        InputError: If it is missing, is not a SQLite file, or cannot be written.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        if not write and not path.exists():
            raise InputError(f"{path.parent} has no {path.name}: give the folder of a study.")
        self.path = path
        _check_index_files(path)
        with self._telling():
            # Not "ro": the first reader after a kill rolls the unfinished transaction back.
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
                # What a power failure loses is built again from the folders of the cells.
                self.base.execute("PRAGMA synchronous = OFF")
                self.base.executescript(TABLES)
            self.base.execute("SELECT count(*) FROM cells")

    def close(self) -> None:
        self.base.close()

    def _check_schema(self) -> None:
        """Check that the file holds only our tables and their indexes: views and triggers are code.

        Raises:
            InputError: If it holds anything else.
        """
        for row in self.base.execute("SELECT type, name, sql FROM sqlite_master"):
            if tuple(row) not in _expected_schema():
                self.base.close()
                raise self.broken(f"it holds the {row['type']} '{quote_text(row['name'])}'")

    def _bound(self) -> None:
        """Bound the effort of reading by the size of the file."""
        left = [(MOST_STEPS + STEPS_A_BYTE * self.path.stat().st_size) // STEPS]

        def stop() -> bool:
            left[0] -= 1
            return left[0] < 0

        self.base.set_progress_handler(stop, STEPS)

    def broken(self, reason: str) -> InputError:
        """Return the error for an index that was not written by a study."""
        return InputError(
            f"{self.path} is not an index that a study wrote ({reason}): delete it; it is built again "
            "from the cells when the study resumes."
        )

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(
                f"{self.path} cannot be used ({reason_of(error)}): free some disk space, or delete it; it "
                "is built again from the cells when the study resumes."
            ) from error

    def begin(self, title: str, cells: list[Cell]) -> None:
        """Record the cells of the study, and delete those that are no longer in it."""
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
            self.base.executemany(_insert_statement("cells", columns), rows)

    def mark(self, id: str, state: str) -> None:
        """Record the state of a cell."""
        with self._telling(), self.base:
            self.base.execute("UPDATE cells SET state = ? WHERE id = ?", (state, id))

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Record the outcomes of cells, with their figures, in one transaction."""
        with self._telling(), self.base:
            for outcome in outcomes:
                self._record(outcome)

    def _record(self, outcome: Outcome) -> None:
        figures = outcome.figures
        values = tuple(figures.get(name) for name in FIGURES)
        self.base.execute(
            f"UPDATE cells SET state = ?, error = ?, seconds = ?, "
            f"{', '.join(f'{name} = ?' for name in FIGURES)} WHERE id = ?",
            (outcome.state, outcome.error, outcome.seconds, *values, outcome.id),
        )
        for table, columns in (("perturbations", PERTURBATIONS), ("pairs", PAIRS)):
            rows = [[outcome.id, *map(item.get, columns)] for item in figures.get(table, ())]
            self.base.executemany(_insert_statement(table, ("cell", *columns)), rows)

    def rows(self, query: str, *values: object) -> list[Json]:
        """Return the rows of a query as dictionaries."""
        with self._telling():
            return [dict(row) for row in self.base.execute(query, values)]

    @property
    def title(self) -> str:
        """The study's title."""
        rows = self.rows("SELECT value FROM study WHERE key = 'title'")
        return quote_text(rows[0]["value"], LONGEST_TITLE) if rows else ""

    def pace(self) -> float | None:
        """Return the seconds that finished cells took per planned second, if any was planned."""
        (row,) = self.rows(
            "SELECT sum(seconds) / sum(planned_seconds) AS pace FROM cells "
            f"WHERE state = '{DONE}' AND planned_seconds > 0"
        )
        pace = row["pace"]
        if pace is not None and not (isinstance(pace, float) and 0 <= pace < math.inf):
            raise self.broken("its times are not times")
        return pace or None

    def digests(self) -> "DigestCache":
        """Return the cache of data digests."""
        return DigestCache(self.base)


@cache
def _expected_schema() -> frozenset[tuple[str, str, str | None]]:
    """Return type, name and SQL of each of our tables and indexes, as SQLite keeps them."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.executescript(TABLES)
        return frozenset(base.execute("SELECT type, name, sql FROM sqlite_master"))


def _check_index_files(path: Path) -> None:
    """Check that the index and the files that SQLite writes beside it are files, not links or devices.

    Raises:
        InputError: If one of them is not.
    """
    for end in ("", "-journal", "-wal", "-shm"):
        file = path.with_name(path.name + end)
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise InputError(
                f"{file} is not a regular file: delete it; the index is built again from the cells when "
                "the study resumes."
            )


class DigestCache(MutableMapping[str, str]):
    """A cache of digests by stamp, kept in the index."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self.base = base

    def __getitem__(self, stamp: str) -> str:
        with closing(
            self.base.execute("SELECT digest FROM digests WHERE stamp = ?", (stamp,))
        ) as cursor:
            row = cursor.fetchone()
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


def _insert_statement(table: str, columns: Iterable[str]) -> str:
    """Return an INSERT statement with a placeholder for each column."""
    names = tuple(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
