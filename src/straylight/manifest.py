"""A manifest: a table of image files and their labels."""

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from straylight.errors import InputError

PARQUET = ".parquet"


@dataclass(frozen=True)
class Row:
    """One image: its place in the table, its file and its label.

    Attributes:
        number: Of the row, as an editor counts lines (the head is the first).
        file: Name inside the folder that the files lie in, with ``/``.
        label: Its class.
    """

    number: int
    file: str
    label: str


def read_manifest(path: Path, file: str, label: str, *, may_be_empty: bool = False) -> list[Row]:
    """Read a CSV (UTF-8) or Parquet file.

    Args:
        path: The table.
        file, label: Its columns.
        may_be_empty: Labels are lists of findings, and an empty one says that there is none.

    Raises:
        InputError: If it cannot be read, lacks a column, has another empty field, has a file that lies
            elsewhere, or gives one file two labels. A row that is there twice is kept once.
    """
    table = parquet_rows(path) if path.suffix.lower() == PARQUET else csv_rows(path)
    if not table or not {file, label} <= table[0].keys():
        found = f" It has {', '.join(map(str, table[0]))}." if table else ""
        raise InputError(
            f"{path} must have the columns {file},{label} and at least one row.{found} Other columns: "
            "--reading file=COLUMN,label=COLUMN."
        )
    rows: dict[str, Row] = {}
    for number, fields in enumerate(table, start=2):
        if not fields[file] or not (fields[label] or may_be_empty):
            raise InputError(f"{path}, line {number}: both {file} and {label} must be given.")
        row = Row(number, inside(path, number, fields[file]), fields[label])
        first = rows.setdefault(row.file, row)
        if first.label != row.label:
            raise InputError(
                f"{path}, line {number}: {row.file} is {row.label}, but {first.label} in line "
                f"{first.number}: give each file one label."
            )
    return list(rows.values())


def inside(path: Path, number: int, file: str) -> str:
    """Return a file's name with slashes, having seen that it leads nowhere else."""
    name = PurePosixPath(file.strip().replace("\\", "/"))
    parts = name.parts or ("..",)
    if name.is_absolute() or ".." in parts or ":" in parts[0] or "\0" in file:
        raise InputError(
            f"{path}, line {number}: {file!r} leads out of the folder that the files lie in: give "
            "names inside it, and the folder with --reading root=FOLDER."
        )
    return str(name)


def csv_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file in UTF-8, with or without a byte order mark, whatever its line ends."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(stream)]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8 ({error}).") from error


def parquet_rows(path: Path) -> list[dict[str, str]]:
    """Read a Parquet file."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise InputError(
            f"{path} needs pyarrow: 'pip install straylight[parquet]', or give a CSV file."
        ) from None
    try:
        rows = parquet.read_table(path).to_pylist()  # type: ignore[no-untyped-call]
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is not a Parquet file ({str(error).splitlines()[0]}).") from error
    return [{name: text_of(value) for name, value in row.items()} for row in rows]


def text_of(value: object) -> str:
    """Write a field as CSV has it; a list with ``|`` between its members.

    >>> text_of(["mass", "edema"]), text_of([]), text_of(3), text_of(None)
    ('mass|edema', '', '3', '')
    """
    if isinstance(value, list):
        return "|".join(map(str, value))
    return "" if value is None else str(value)
