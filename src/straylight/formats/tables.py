"""Tables of texts: two columns of a CSV or Parquet file, and never more than a data set has."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from straylight.errors import InputError, listed, quoted, reason_of

PARQUET = ".parquet"
MOST_ROWS = 1_000_000
LONGEST = 2**12  # characters of a field, as of a name in a file system

Columns = tuple[str, str]
Fields = tuple[int, str, str]  # line, file, label


def read_columns(path: Path, columns: Columns) -> Iterator[Fields]:
    """Go through the rows of a CSV (UTF-8) or Parquet file, as an editor counts its lines.

    Raises:
        InputError: If it cannot be read, or lacks a column or has it twice.
    """
    read = parquet_rows if path.suffix.lower() == PARQUET else csv_rows
    return read(path, columns)


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
        with parquet.ParquetFile(path) as file:  # type: ignore[no-untyped-call]
            schema, values = file.schema_arrow, leaves(file, columns)
        if [schema.names.count(column) for column in columns] != [1, 1]:
            raise unfit(path, columns, schema.names)
        for column in columns:
            check_kind(path, schema.field(column), lists=column == columns[1])
        # As numbers into a dictionary: a text of a megabyte may be there a million times.
        with parquet.ParquetFile(path, read_dictionary=values) as file:  # type: ignore[no-untyped-call]
            if max(counts(file, values)) > MOST_ROWS:
                raise InputError(
                    f"{path} has more than {MOST_ROWS:,} rows or findings: give a part of them."
                )
            table = file.read(columns=list(columns), use_threads=False)
        fields = [list(plain(path, table[column])) for column in columns]
    except InputError:
        raise
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is not a Parquet file ({reason_of(error)}).") from error
    yield from zip(range(2, 2 + len(table)), *fields, strict=True)


def leaves(file: Any, columns: Columns) -> list[str]:  # noqa: ANN401
    """Find where the values of columns lie: of lists, in a column inside the column."""
    paths = [file.schema.column(number).path for number in range(len(file.schema))]
    return [path for path in paths if path in columns or path.partition(".")[0] in columns]


def counts(file: Any, values: list[str]) -> list[int]:  # noqa: ANN401
    """Count the rows, and the values of each column."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    found = dict.fromkeys(values, 0) | {"": file.metadata.num_rows}
    for group in groups:
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema in values:
                found[column.path_in_schema] += column.num_values
    return list(found.values())


def check_kind(path: Path, field: Any, *, lists: bool) -> None:  # noqa: ANN401
    """Refuse a column that holds neither texts nor numbers, dates or truths, nor lists of texts."""
    from pyarrow import types

    kind = field.type
    if lists and (types.is_list(kind) or types.is_large_list(kind)) and is_text(kind.value_type):
        return
    if not is_text(kind) and not types.is_primitive(kind):
        also = ", or lists of texts" if lists else ""
        raise InputError(
            f"{path} has the column {quoted(field.name)} of type {quoted(kind)}: give texts or numbers"
            f"{also}."
        )


def is_text(kind: Any) -> bool:  # noqa: ANN401
    """Tell texts, also where they are numbers into a dictionary."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind))


def plain(path: Path, column: Any) -> Iterator[str]:  # noqa: ANN401
    """Write a column as CSV has it, a list with ``|`` between its members; all texts are short."""
    from pyarrow import types

    for chunk in column.chunks:
        chunk.validate(full=True)  # a damaged place may lie outside the dictionary
        if types.is_list(chunk.type) or types.is_large_list(chunk.type):
            words = iter(written(path, chunk.flatten()))
            for length in chunk.value_lengths().to_pylist():
                members = list(islice(words, length or 0))
                if sum(map(len, members)) > LONGEST:
                    raise InputError(f"{path} has a list of more than {LONGEST} characters.")
                yield "|".join(members)
        else:
            yield from written(path, chunk)


def written(path: Path, chunk: Any) -> list[str]:  # noqa: ANN401
    """Write values as texts, of which each is there but once."""
    from pyarrow import types

    if not types.is_dictionary(chunk.type):
        return ["" if value is None else str(value) for value in chunk.to_pylist()]
    words = chunk.dictionary.to_pylist()
    if any(len(word or "") > LONGEST for word in words):
        raise InputError(f"{path} has a text of more than {LONGEST} characters.")
    return ["" if place is None else words[place] or "" for place in chunk.indices.to_pylist()]
