"""Read the file and label columns of a CSV or Parquet table, within bounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from straylight.cohort.csv_files import read_csv_rows
from straylight.cohort.known_layouts import ColumnLayout, find_layout, missing_columns_error
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.data.files.regular import check_not_special

PARQUET, TEXTS = ".parquet", (".csv", ".tsv")
MOST_ROWS = 1_000_000
LONGEST = 2**12  # characters of a field, as for a path

Fields = tuple[int, str, list[str]]  # line, file, labels


@dataclass(frozen=True)
class LabelTable:
    """The file and label columns of a table.

    Attributes:
        rows: The rows of the table.
        classes: Names of the label columns, if there is one per class.
        head: Names of all columns.
    """

    rows: Iterator[Fields]
    classes: list[str]
    head: list[str]


def read_columns(path: Path, file: str, label: str, classes: Sequence[str] = ()) -> LabelTable:
    """Read a CSV (UTF-8) or Parquet file, with line numbers as in an editor.

    Raises:
        InputError: If it cannot be read, or a column is missing or duplicated (see `find_layout`).
    """
    read = _read_parquet_columns if path.suffix.lower() == PARQUET else _read_csv_columns
    return read(path, file, label, classes)


def _label_column_names(head: Sequence[str], layout: ColumnLayout) -> list[str]:
    return [] if layout.one_column else [head[place].strip() for place in layout.labels]


def _read_csv_columns(path: Path, file: str, label: str, classes: Sequence[str]) -> LabelTable:
    """Read a CSV file."""

    def fits(head: list[str]) -> bool:
        return find_layout(str(path), head, file, label, classes) is not None

    rows = read_csv_rows(path, fits)
    head = next(rows, (1, []))[1]
    layout = find_layout(str(path), head, file, label, classes)
    if layout is None:
        raise missing_columns_error(str(path), file, label, head)

    def each() -> Iterator[Fields]:
        for number, fields in rows:
            if any(field.strip() for field in fields[len(head) :]):
                raise InputError(
                    f"{path}, line {number}: it has {len(fields)} fields, but the header has "
                    f"{len(head)}: put quotes around a field that has a separator in it."
                )
            name, *words = (
                fields[place] if place < len(fields) else ""
                for place in (layout.file, *layout.labels)
            )
            yield number, name, words

    return LabelTable(each(), _label_column_names(head, layout), head)


def _read_parquet_columns(path: Path, file: str, label: str, classes: Sequence[str]) -> LabelTable:
    """Read a Parquet file."""
    check_not_special(path)
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
                raise missing_columns_error(str(path), file, label, head)
            columns = [head[place] for place in (layout.file, *layout.labels)]
            values = _parquet_leaves(opened, columns)
        for column in columns:
            _check_column_type(
                path, schema.field(column), lists=layout.one_column and column != columns[0]
            )
        # Dictionary-encoded: a text of a megabyte may occur a million times.
        with parquet.ParquetFile(path, read_dictionary=values) as opened:  # type: ignore[no-untyped-call]
            if max(_count_values(opened, values)) > MOST_ROWS:
                raise InputError(
                    f"{path} has more than {MOST_ROWS:,} rows or findings: give a subset."
                )
            table = opened.read(columns=columns, use_threads=False)
        fields = [list(_column_to_texts(path, table[column])) for column in columns]
    except InputError:
        raise
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is not a Parquet file ({reason_of(error)}).") from error
    rows = zip(*fields, strict=True)
    each = ((number, name, words) for number, (name, *words) in enumerate(rows, 2))
    return LabelTable(each, _label_column_names(head, layout), head)


def _parquet_leaves(file: Any, columns: Sequence[str]) -> list[str]:  # noqa: ANN401
    """Return the paths of the leaf columns that have the values of columns (nested ones for lists)."""
    paths = [file.schema.column(number).path for number in range(len(file.schema))]
    return [path for path in paths if path in columns or path.partition(".")[0] in columns]


def _count_values(file: Any, values: list[str]) -> list[int]:  # noqa: ANN401
    """Count the rows of a Parquet file, and the values of each column."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    found = dict.fromkeys(values, 0) | {"": file.metadata.num_rows}
    for group in groups:
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema in values:
                found[column.path_in_schema] += column.num_values
    return list(found.values())


def _check_column_type(path: Path, field: Any, *, lists: bool) -> None:  # noqa: ANN401
    """Raise InputError unless a column has texts, numbers, dates, booleans or lists of texts."""
    from pyarrow import types

    kind = field.type
    if (
        lists
        and (types.is_list(kind) or types.is_large_list(kind))
        and _is_text_type(kind.value_type)
    ):
        return
    if not _is_text_type(kind) and not types.is_primitive(kind):
        also = ", or lists of texts" if lists else ""
        raise InputError(
            f"{path} has the column {quote_text(field.name)} of type {quote_text(kind)}: give texts or "
            f"numbers{also}."
        )


def _is_text_type(kind: Any) -> bool:  # noqa: ANN401
    """Return whether a type is text, plain or dictionary-encoded."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    view = getattr(types, "is_string_view", lambda _: False)  # pyarrow 16
    return bool(types.is_string(kind) or types.is_large_string(kind) or view(kind))


def _column_to_texts(path: Path, column: Any) -> Iterator[str]:  # noqa: ANN401
    """Convert a column to texts as in CSV, lists with ``|`` between their items; check the lengths."""
    from pyarrow import types

    for chunk in column.chunks:
        chunk.validate(full=True)  # a damaged index may be outside the dictionary
        if types.is_list(chunk.type) or types.is_large_list(chunk.type):
            words = iter(_chunk_to_texts(path, chunk.flatten()))
            for length in chunk.value_lengths().to_pylist():
                members = list(islice(words, length or 0))
                if sum(map(len, members)) > LONGEST:
                    raise InputError(f"{path} has a list of more than {LONGEST} characters.")
                yield "|".join(members)
        else:
            yield from _chunk_to_texts(path, chunk)


def _chunk_to_texts(path: Path, chunk: Any) -> list[str]:  # noqa: ANN401
    """Convert values to texts, each stored only once in memory."""
    from pyarrow import types

    if not types.is_dictionary(chunk.type):
        return ["" if value is None else str(value) for value in chunk.to_pylist()]
    words = chunk.dictionary.to_pylist()
    if any(len(word or "") > LONGEST for word in words):
        raise InputError(f"{path} has a text of more than {LONGEST} characters.")
    return ["" if place is None else words[place] or "" for place in chunk.indices.to_pylist()]
