"""CSV files, read with suspicion: in UTF-8, with commas, semicolons or tabs."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from straylight.core.errors import InputError, reason_of
from straylight.data.files.regular import check_regular

LONGEST_ROW = 2**20  # characters
SEPARATORS = (",", ";", "\t")
SAYS = "sep="
Fields = tuple[int, list[str]]  # line, and what stands in it


class _Lines:
    """Yields the lines of a file, and never a row that is longer than `LONGEST_ROW`."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.read = stream, 0

    def __iter__(self) -> Iterator[str]:
        while line := self.stream.readline(LONGEST_ROW):
            self.read += len(line)
            if self.read >= LONGEST_ROW:
                raise csv.Error(f"a row is longer than {LONGEST_ROW:,} characters")
            yield line


def csv_rows(path: Path, fits: Callable[[list[str]], bool]) -> Iterator[Fields]:
    """Yield the head of a CSV file and its rows that are not blank, whatever its line ends.

    Args:
        path: The file.
        fits: Says of a head whether it has the columns. The first separator that gives such a head is
            taken, or else the comma.

    Raises:
        InputError: If it is not a CSV file in UTF-8.
    """
    check_regular(path)
    try:
        said = _said(path)
        possible = (said,) if said else SEPARATORS
        separator = next((it for it in possible if _fits(path, it, fits)), possible[0])
        yield from _rows(path, separator)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8 ({reason_of(error)}).") from error


def _said(path: Path) -> str | None:
    """Return the separator that Excel writes into a line of its own, the first: ``sep=;``."""
    with path.open(encoding="utf-8-sig") as stream:
        line = stream.readline(len(SAYS) + 3).strip(" \r\n").lower()
    said = line.removeprefix(SAYS)
    return said if line.startswith(SAYS) and said in SEPARATORS else None


def _fits(path: Path, separator: str, fits: Callable[[list[str]], bool]) -> bool:
    try:
        return fits(next(_rows(path, separator), (1, []))[1])
    except csv.Error:  # with another separator it may be none
        return False


def _rows(path: Path, separator: str) -> Iterator[Fields]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        lines = _Lines(stream)
        # Strict: otherwise a quote that is not closed swallows the rest of the file.
        reader = csv.reader(lines, strict=True, delimiter=separator)
        for fields in reader:
            lines.read = 0
            told = reader.line_num == 1 and separator.join(fields).strip().lower()
            if any(map(str.strip, fields)) and told != SAYS + separator:
                yield reader.line_num, fields
