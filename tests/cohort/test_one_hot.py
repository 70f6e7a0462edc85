"""Tables with one column per class or finding."""

import time
from pathlib import Path

from image_folders import TINY_SHAPE, write_picture
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.cohort.one_hot import label_from_columns
from straylight.data.class_names import match_names


def test_case_26_chexpert_says_what_is_uncertain(tmp_path: Path) -> None:
    rows = [("1.0", "a"), ("0.0", "b"), ("-1.0", "c"), ("", "d"), ("1.0", "e")]
    for _, name in rows:
        write_picture(tmp_path / f"{name}.png")
    table = tmp_path / "labels.csv"
    table.write_text("Path,Mass\n" + "".join(f"{name}.png,{value}\n" for value, name in rows))
    for reading in (Reading(), Reading(file="Path", label="Mass")):
        cohort = load_cohort(table, TINY_SHAPE, ("no Mass", "Mass"), reading=reading)
        assert cohort.labels.tolist() == [1, 0, 1]
        left_out = cohort.images.skipped
        assert len(left_out) == 2
        assert "uncertain (-1)" in left_out[0].reason
        assert "empty" in left_out[1].reason


def test_many_columns_are_matched_in_linear_time(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(50_000)]
    started = time.process_time()
    known = match_names(names, names)
    assert known == dict(zip(names, names, strict=True))
    words = ["0"] * len(names)
    words[7] = "1"
    told = label_from_columns(tmp_path, 2, words, names, None, known=known)
    assert told == ("class 7", "")
    assert time.process_time() - started < 2
