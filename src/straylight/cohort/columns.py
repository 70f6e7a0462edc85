"""Tables of texts: the columns of a CSV or Parquet file, and never more than a data set has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from straylight.cohort.csv_files import csv_rows
from straylight.cohort.known_layouts import Layout, find_layout, unfit
from straylight.core.errors import InputError, quoted, reason_of
from straylight.data.files.regular import check_regular

PARQUET, TEXTS = ".parquet", (".csv", ".tsv")
MOST_ROWS = 1_000_000
LONGEST = 2**12  # characters of a field, as of a name in a file system

Fields = tuple[int, str, list[str]]  # line, file, labels


@dataclass(frozen=True)
class Table:
    """The columns of a table that are read.

    Attributes:
        rows: Its rows.
        classes: The names of the columns of labels, if there is one for each class.
        head: The names of all columns.
    """

    rows: Iterator[Fields]
    classes: list[str]
    head: list[str]


def read_columns(path: Path, file: str, label: str, classes: Sequence[str] = ()) -> Table:
    """Read a CSV (UTF-8) or Parquet file, with lines as an editor counts them.

    Raises:
        InputError: If it cannot be read, or lacks a column or has it twice (see `find_layout`).
    """
    read = _parquet_rows if path.suffix.lower() == PARQUET else _csv_rows
    return read(path, file, label, classes)


def _names(head: Sequence[str], layout: Layout) -> list[str]:
    return [] if layout.one_column else [head[place].strip() for place in layout.labels]


def _csv_rows(path: Path, file: str, label: str, classes: Sequence[str]) -> Table:
    """Read a CSV file."""

    def fits(head: list[str]) -> bool:
        return find_layout(str(path), head, file, label, classes) is not None

    rows = csv_rows(path, fits)
    head = next(rows, (1, []))[1]
    layout = find_layout(str(path), head, file, label, classes)
    if layout is None:
        raise unfit(str(path), file, label, head)

    def each() -> Iterator[Fields]:
        for number, fields in rows:
            if any(field.strip() for field in fields[len(head) :]):
                raise InputError(
                    f"{path}, line {number}: it has {len(fields)} fields, and the head {len(head)}: put "
                    "quotes around a field with a separator in it."
                )
            name, *words = (
                fields[place] if place < len(fields) else ""
                for place in (layout.file, *layout.labels)
            )
            yield number, name, words

    return Table(each(), _names(head, layout), head)


def _parquet_rows(path: Path, file: str, label: str, classes: Sequence[str]) -> Table:
    """Read a Parquet file."""
    check_regular(path)
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise InputError(
            f"{path} needs pyarrow: 'pip install straylight[parquet]', or give a CSV file."
        ) from None
    try:
        with parquet.ParquetFile(path) as opened:  # type: ignore[no-untyped-call]
            schema = opened.schema_arrow
            head = schema.names
            layout = find_layout(str(path), head, file, label, classes)
            if layout is None:
                raise unfit(str(path), file, label, head)
            columns = [head[place] for place in (layout.file, *layout.labels)]
            values = leaves(opened, columns)
        for column in columns:
            check_kind(path, schema.field(column), lists=layout.one_column and column != columns[0])
        # As numbers into a dictionary: a text of a megabyte may be there a million times.
        with parquet.ParquetFile(path, read_dictionary=values) as opened:  # type: ignore[no-untyped-call]
            if max(counts(opened, values)) > MOST_ROWS:
                raise InputError(
                    f"{path} has more than {MOST_ROWS:,} rows or findings: give a part of them."
                )
            table = opened.read(columns=columns, use_threads=False)
        fields = [list(plain(path, table[column])) for column in columns]
    except InputError:
        raise
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is not a Parquet file ({reason_of(error)}).") from error
    rows = zip(*fields, strict=True)
    each = ((number, name, words) for number, (name, *words) in enumerate(rows, 2))
    return Table(each, _names(head, layout), head)


def leaves(file: Any, columns: Sequence[str]) -> list[str]:  # noqa: ANN401
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
    view = getattr(types, "is_string_view", lambda _: False)  # pyarrow 16
    return bool(types.is_string(kind) or types.is_large_string(kind) or view(kind))


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
