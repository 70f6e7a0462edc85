"""CSV files with any separator and line ends, as spreadsheets write them."""

import csv
from pathlib import Path

import pytest

from image_folders import load_table, read_levels
from straylight.cohort import csv_files
from straylight.cohort.csv_files import read_csv_rows
from straylight.core.errors import InputError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "file,label\na.png,A,,\nb.png,B, \n,\n,\n"),
        ("t.csv", "file,label\na.png,A\nb.png,B\n   "),
        ("t.csv", "\ufeffsep=;\r\nfile;label\r\na.png;A\r\nb.png;B\r\n"),
        ("t.csv", "sep=,\nfile,label\na.png,A\nb.png,B\n"),
        ("t.tsv", "file\tlabel\na.png\tA\nb.png\tB\n"),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, name: str, text: str) -> None:
    cohort = load_table(tmp_path, text, name)
    assert (read_levels(cohort.images), cohort.counts()) == ([10, 20], {"A": 1, "B": 1})


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_rows_are_those_that_the_standard_library_wrote(
    tmp_path: Path, separator: str, ends: str
) -> None:
    rows = [
        ["file", "label"],
        ["a,b.png", 'a "quoted" name'],
        ["c;d.png", "two\nlines"],
        ["e\tf.png", "é"],
    ]
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=separator, lineterminator=ends).writerows(rows)
    found = list(read_csv_rows(tmp_path / "t.csv", lambda header: header == rows[0]))
    assert [fields for _, fields in found] == rows
    assert [line for line, _ in found] == [1, 2, 4, 5]  # the last line of each row


def test_a_row_that_never_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "LONGEST_ROW", 100)
    path = tmp_path / "t.csv"
    path.write_text("file,label\n" + f"{'a' * 60},b\n" * 5)
    assert len(list(read_csv_rows(path, bool))) == 6  # each row is counted on its own
    path.write_text(f"file,label\n{'a' * 96},b\n" * 2)
    assert len(list(read_csv_rows(path, bool))) == 4  # of 99 characters, their ends included
    for row in ("a" * 97 + ",b\n", "a" * 100, '"' + "a\n" * 60):
        path.write_text(f"file,label\n{row}")
        with pytest.raises(InputError, match=r"not a CSV file in UTF-8 \(a row is longer than 100"):
            list(read_csv_rows(path, bool))


def test_an_unclosed_quote_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('file,label\n"a.png,b\nc.png,d\n')
    with pytest.raises(InputError, match=r"is not a CSV file in UTF-8 \(unexpected end of data"):
        list(read_csv_rows(tmp_path / "t.csv", bool))
