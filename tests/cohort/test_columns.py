"""Columns of CSV and Parquet tables."""

from pathlib import Path

import pytest

from image_folders import TINY_SHAPE, encode_grey_png, load_table, write_files
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError


def test_rows_that_are_longer_than_the_head_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3: it has 3 fields, but the header has 2"):
        load_table(tmp_path, "file,label\na.png,A\nb.png,left, upper\n")


def test_texts_of_every_kind_in_parquet_are_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", "16")
    parquet = pytest.importorskip("pyarrow.parquet")
    write_files(tmp_path, {"a.png": encode_grey_png(10), "b.png": encode_grey_png(20)})
    columns = {"file": ["a.png", "b.png"], "label": ["A", "B"]}
    parquet.write_table(
        pa.table({name: pa.array(value, pa.string_view()) for name, value in columns.items()}),
        tmp_path / "t.parquet",
    )
    assert load_cohort(tmp_path / "t.parquet", TINY_SHAPE).counts() == {"A": 1, "B": 1}
