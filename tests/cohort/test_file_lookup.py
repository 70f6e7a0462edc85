"""Files that a table names."""

from pathlib import Path

import pytest

from image_folders import TINY_SHAPE, write_picture
from straylight.cohort.file_lookup import manifest_files
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.errors import InputError


def test_a_name_that_two_files_fit_is_refused(tmp_path: Path) -> None:
    for name in ("a/x.png", "b/x.png", "c/y.png", "c/y.jpg"):
        write_picture(tmp_path / name)
    table = tmp_path / "labels.csv"
    for name, both in (("x.png", "a/x.png or b/x.png"), ("y", "c/y.jpg or c/y.png")):
        table.write_text(f"file,label\n{name},A\n")
        with pytest.raises(InputError, match=f"line 2: the file {name} could be {both}"):
            load_cohort(table, TINY_SHAPE)
    table.write_text("file,label\na/x.png,A\nz.png,A\n")
    with pytest.raises(InputError, match=r"line 3: the file z\.png does not exist in"):
        load_cohort(table, TINY_SHAPE)
    table.write_text("file,label\nc/y.png,A\ny.png,A\n")
    with pytest.raises(InputError, match=r"line 3: y\.png is the file c/y\.png of line 2"):
        load_cohort(table, TINY_SHAPE)


def test_a_digest_sees_the_files_that_a_table_names(tmp_path: Path) -> None:
    one, two = (
        write_picture(tmp_path / "i" / "x" / "a.png"),
        write_picture(tmp_path / "i" / "b.png"),
    )
    table = tmp_path / "labels.csv"
    table.write_text("Path,Mass,Edema\na,1.0,\nb.png,-1.0,\nnone.png,,\n")
    assert manifest_files(table, Reading(root=str(tmp_path / "i"))) == [two, one]
