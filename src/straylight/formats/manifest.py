"""A manifest: a table of image files and their labels."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from straylight.errors import InputError, quoted
from straylight.formats.tables import LONGEST, MOST_ROWS, read_columns, unfit


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
        InputError: If it cannot be read, lacks a column or has it twice, has more than `MOST_ROWS` rows,
            has another empty field, has a file that lies elsewhere, or gives one file two labels. A row
            that is there twice is kept once.
    """
    rows: dict[str, Row] = {}
    for number, name, word in read_columns(path, (file, label)):
        if not name or not (word or may_be_empty):
            raise InputError(f"{path}, line {number}: both {file} and {label} must be given.")
        if len(name + word) > LONGEST or any(c < " " and c != "\0" for c in name + word):
            raise InputError(
                f"{path}, line {number}: a field is longer than {LONGEST} characters or holds control "
                "characters: look for a quote that is not closed."
            )
        row = Row(number, inside(path, number, name), word)
        first = rows.setdefault(row.file, row)
        if first.label != row.label:
            raise InputError(
                f"{path}, line {number}: {quoted(row.file)} is {quoted(row.label)}, but "
                f"{quoted(first.label)} in line {first.number}: give each file one label."
            )
        if len(rows) > MOST_ROWS:
            raise InputError(f"{path} has more than {MOST_ROWS:,} rows: give a part of them.")
    if not rows:
        raise unfit(path, (file, label), [file, label])
    return list(rows.values())


def inside(path: Path, number: int, file: str) -> str:
    """Return a file's name with slashes, having seen that it leads nowhere else."""
    name = PurePosixPath(file.strip().replace("\\", "/"))
    parts = name.parts or ("..",)
    if name.is_absolute() or ".." in parts or ":" in parts[0] or "\0" in file:
        raise InputError(
            f"{path}, line {number}: '{quoted(file)}' leads out of the folder that the files lie in: give "
            "names inside it, and the folder with --reading root=FOLDER."
        )
    return str(name)
