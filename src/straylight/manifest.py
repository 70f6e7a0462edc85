"""A manifest: a table of image files and their labels."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from straylight.errors import InputError, listed, quoted, reason_of

PARQUET = ".parquet"
MOST_ROWS = 1_000_000
LONGEST = 2**12  # characters of a field, as of a name in a file system

Columns = tuple[str, str]
Fields = tuple[int, str, str]  # line, file, label


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


def read_manifest(path: Path, file: str, label: str) -> list[Row]:
    """Read a CSV (UTF-8) or Parquet file.

    Args:
        path: The table.
        file, label: Its columns.

    Raises:
        InputError: If it cannot be read, lacks a column or has it twice, has more than `MOST_ROWS` rows,
            has an empty field, has a file that lies elsewhere, or gives one file two labels. A row that
            is there twice is kept once.
    """
    read = parquet_rows if path.suffix.lower() == PARQUET else csv_rows
    rows: dict[str, Row] = {}
    for number, name, word in read(path, (file, label)):
        if not name or not word:
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


def unfit(path: Path, columns: Columns, found: list[str]) -> InputError:
    """Say what a table must have, and what it has."""
    return InputError(
        f"{path} must have the columns {','.join(columns)} and at least one row. It has "
        f"{listed(found)}. Other columns: --reading file=COLUMN,label=COLUMN."
    )


def csv_rows(path: Path, columns: Columns) -> Iterator[Fields]:
    """Read a CSV file in UTF-8, with or without a byte order mark, whatever its line ends."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            # Strict: otherwise a quote that is not closed swallows the rest of the file.
            reader = csv.reader(stream, strict=True)
            head = next(reader, [])
            if [head.count(column) for column in columns] != [1, 1]:
                raise unfit(path, columns, head)
            places = [head.index(column) for column in columns]
            for fields in filter(None, reader):
                name, word = (fields[place] if place < len(fields) else "" for place in places)
                yield reader.line_num, name, word
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8 ({reason_of(error)}).") from error


def parquet_rows(path: Path, columns: Columns) -> Iterator[Fields]:
    """Read a Parquet file."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise InputError(
            f"{path} needs pyarrow: 'pip install straylight[parquet]', or give a CSV file."
        ) from None
    try:
        schema = parquet.read_schema(path)  # type: ignore[no-untyped-call]
        if [schema.names.count(column) for column in columns] != [1, 1]:
            raise unfit(path, columns, schema.names)
        texts = [column for column in columns if is_text(path, schema.field(column))]
        # As numbers into a dictionary: a text of a megabyte may be there a million times.
        with parquet.ParquetFile(path, read_dictionary=texts) as file:  # type: ignore[no-untyped-call]
            if file.metadata.num_rows > MOST_ROWS:
                raise InputError(f"{path} has more than {MOST_ROWS:,} rows: give a part of them.")
            table = file.read(columns=list(columns), use_threads=False)
        fields = [plain(path, table[column]) for column in columns]
    except InputError:
        raise
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is not a Parquet file ({reason_of(error)}).") from error
    yield from zip(range(2, 2 + len(table)), *fields, strict=True)


def is_text(path: Path, field: Any) -> bool:  # noqa: ANN401
    """Tell a column of texts from one of numbers, dates or truths, and refuse others."""
    from pyarrow import types

    kind = field.type.value_type if types.is_dictionary(field.type) else field.type
    text = types.is_string(kind) or types.is_large_string(kind)
    if not (text or types.is_primitive(kind)):
        raise InputError(
            f"{path} has the column {quoted(field.name)} of type {quoted(kind)}: give texts or numbers."
        )
    return bool(text)


def plain(path: Path, column: Any) -> list[str]:  # noqa: ANN401
    """Write a column as texts, having seen that they are short."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        words = [word for chunk in column.chunks for word in chunk.dictionary.to_pylist()]
        if any(len(str(word)) > LONGEST for word in words):
            raise InputError(f"{path} has a text of more than {LONGEST} characters.")
    return ["" if value is None else str(value) for value in column.to_pylist()]
