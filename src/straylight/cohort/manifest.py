"""A manifest: a table of image files and their labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from straylight.cohort.columns import LONGEST, MOST_ROWS, read_columns
from straylight.cohort.known_layouts import unfit
from straylight.cohort.one_hot import are_binary, of_columns
from straylight.core.errors import InputError, quoted
from straylight.data.class_names import match_names
from straylight.data.findings import Names, findings_of


@dataclass(frozen=True)
class Row:
    """One image: its place in the table, its file and its label.

    Attributes:
        number: Of the row, as an editor counts lines (the head is the first).
        file: Name inside the folder that the files lie in, with ``/``.
        label: Its class, or its findings with ``|`` between them.
        left_out: Why it has no one label, if so.
    """

    number: int
    file: str
    label: str
    left_out: str = ""


def read_manifest(
    path: Path,
    file: str,
    label: str,
    *,
    may_be_empty: bool = False,
    classes: Names | None = None,
    root: Path | None = None,
) -> list[Row]:
    """Read a CSV (UTF-8) or Parquet file.

    Args:
        path: The table.
        file, label: Its columns; those of well-known data sets need not be named (see `find_layout`).
        may_be_empty: An empty label has a meaning: there is no finding.
        classes: The classifier's classes, which may have a column each.
        root: The folder that the files lie in, for names that are written out from the root of the
            disk (None: the table's own).

    Raises:
        InputError: If it cannot be read, lacks a column or has it twice, has more than `MOST_ROWS` rows,
            has another empty field, has a file that lies elsewhere, or gives one file two labels. A row
            that is there twice is kept once.
    """
    rows: dict[str, Row] = {}
    base = (root or path.parent).absolute()
    for number, name, word, left_out in _labelled(path, file, label, classes):
        if not name or not (word or left_out or may_be_empty):
            raise InputError(
                f"{path}, line {number}: both {quoted(file)} and {quoted(label)} must be given."
            )
        if len(name + word) > LONGEST or any(c < " " and c != "\0" for c in name + word):
            raise InputError(
                f"{path}, line {number}: a field is longer than {LONGEST} characters or holds control "
                "characters: look for a quote that is not closed."
            )
        row = Row(number, inside(path, number, name, base), word, left_out)
        first = rows.setdefault(row.file, row)
        if (first.label, first.left_out) != (row.label, row.left_out):
            raise InputError(
                f"{path}, line {number}: {quoted(row.file)} is {quoted(row.label)}, but "
                f"{quoted(first.label)} in line {first.number}: give each file one label."
            )
        if len(rows) > MOST_ROWS:
            raise InputError(f"{path} has more than {MOST_ROWS:,} rows: give a part of them.")
    if not rows:
        raise unfit(str(path), file, label, [file, label])
    return list(rows.values())


def _labelled(
    path: Path, file: str, label: str, classes: Names | None
) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, file, label and why there is none."""
    table = read_columns(path, file, label, findings_of(classes) or tuple(classes or ()))
    known = match_names(table.classes, findings_of(classes) or classes or table.classes)
    for number, name, words in table.rows:
        if table.classes and classes is None and not are_binary(words):
            raise unfit(str(path), file, label, table.head)
        if table.classes:
            yield (
                number,
                name,
                *of_columns(path, number, words, table.classes, classes, known=known),
            )
        else:
            yield number, name, words[0], ""


def inside(path: Path, number: int, file: str, base: Path) -> str:
    """Return a file's name with slashes, having seen that it leads nowhere else."""
    name = PurePosixPath(file.strip().replace("\\", "/"))
    if name.is_absolute() and ".." not in name.parts and name.is_relative_to(base.as_posix()):
        name = name.relative_to(base.as_posix())
    parts: Sequence[str] = name.parts or ("..",)
    if name.is_absolute() or ".." in parts or ":" in parts[0] or "\0" in file:
        raise InputError(
            f"{path}, line {number}: '{quoted(file)}' leads out of the folder that the files lie in: give "
            "names inside it, and the folder with --reading root=FOLDER."
        )
    return str(name)
