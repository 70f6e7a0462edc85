"""Read untrusted CSV files in UTF-8, with commas, semicolons or tabs."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from straylight.core.errors import InputError, reason_of
from straylight.data.files.regular import check_not_special

LONGEST_ROW = 2**20  # characters
SEPARATORS = (",", ";", "\t")
SAYS = "sep="
Fields = tuple[int, list[str]]  # line number and fields


class _BoundedLines:
    """The lines of a file; raises csv.Error for a row longer than `LONGEST_ROW`."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.read = stream, 0

    def __iter__(self) -> Iterator[str]:
        while line := self.stream.readline(LONGEST_ROW):
            self.read += len(line)
            if self.read >= LONGEST_ROW:
                raise csv.Error(f"a row is longer than {LONGEST_ROW:,} characters")
            yield line


def read_csv_rows(path: Path, fits: Callable[[list[str]], bool]) -> Iterator[Fields]:
    """Yield the header of a CSV file and its non-blank rows, with any line endings.

    Args:
        path: The file.
        fits: Returns whether a header has the columns. The first separator with such a header is used,
            or else the comma.

    Raises:
        InputError: If it is not a CSV file in UTF-8.
    """
    check_not_special(path)
    try:
        declared = _declared_separator(path)
        possible = (declared,) if declared else SEPARATORS
        separator = next((it for it in possible if _header_fits(path, it, fits)), possible[0])
        yield from _iterate_rows(path, separator)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8 ({reason_of(error)}).") from error


def _declared_separator(path: Path) -> str | None:
    """Return the separator that Excel declares in the first line, as ``sep=;``, or None."""
    with path.open(encoding="utf-8-sig") as stream:
        line = stream.readline(len(SAYS) + 3).strip(" \r\n").lower()
    declared = line.removeprefix(SAYS)
    return declared if line.startswith(SAYS) and declared in SEPARATORS else None


def _header_fits(path: Path, separator: str, fits: Callable[[list[str]], bool]) -> bool:
    try:
        return fits(next(_iterate_rows(path, separator), (1, []))[1])
    except csv.Error:  # it may not be valid CSV with another separator
        return False


def _iterate_rows(path: Path, separator: str) -> Iterator[Fields]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        lines = _BoundedLines(stream)
        # Strict: otherwise an unclosed quote swallows the rest of the file.
        reader = csv.reader(lines, strict=True, delimiter=separator)
        for fields in reader:
            lines.read = 0
            first_line = reader.line_num == 1 and separator.join(fields).strip().lower()
            if any(map(str.strip, fields)) and first_line != SAYS + separator:
                yield reader.line_num, fields
