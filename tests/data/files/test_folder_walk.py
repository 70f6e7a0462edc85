"""Links in folders, and the number of files."""

import time
from pathlib import Path

import pytest

from image_folders import TINY_SHAPE, read_levels, train_tiny, write_picture
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError
from straylight.data.files import folder_walk
from straylight.data.photographs.load import load_natural


def test_case_4_a_class_folder_may_be_a_link(tmp_path: Path) -> None:
    for number in range(4):
        write_picture(tmp_path / "in" / "NORMAL" / f"{number}.png", 10)
        write_picture(tmp_path / "elsewhere" / f"{number}.png", 200 + number)
    (tmp_path / "in" / "VASC").symlink_to(tmp_path / "elsewhere")
    cohort = load_cohort(tmp_path / "in", TINY_SHAPE)
    assert cohort.counts() == {"NORMAL": 4, "VASC": 4}
    assert read_levels(cohort.images) == [10] * 4 + [200, 201, 202, 203]
    assert train_tiny(cohort, tmp_path / "out")[0] == "8 images of 2 classes: NORMAL 4, VASC 4"


def test_links_lead_round_in_no_circles_and_nowhere_by_name(tmp_path: Path) -> None:
    write_picture(tmp_path / "a" / "x" / "1.png")
    (tmp_path / "a" / "x" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "x" / "root").symlink_to("/")
    (tmp_path / "a" / "x" / "process").symlink_to("/proc/1")
    (tmp_path / "a" / "x" / "self").symlink_to("self")
    (tmp_path / "a" / "x" / "gone.png").symlink_to(tmp_path / "none")
    (tmp_path / "a" / "x" / "again.png").symlink_to("1.png")
    cohort = load_cohort(tmp_path / "a", TINY_SHAPE)
    assert len(cohort) == 1
    said = {item.file: item.reason for item in cohort.images.skipped}
    assert said["x/gone.png"] == said["x/self"] == "a broken link"
    assert said["x/up"] == said["x/root"] == "a link to a folder that contains it"
    assert said["x/process"] == "a link to a system folder"
    assert said["x/again.png"] == "the same as x/1.png, by a link"
    (tmp_path / "a" / "y").symlink_to("x")
    with pytest.raises(
        InputError, match="y is the same as x, by a link: give each image one class"
    ):
        load_cohort(tmp_path / "a", TINY_SHAPE)


def test_links_that_double_at_every_level_are_visited_once(tmp_path: Path) -> None:
    for level in range(30):
        folder = tmp_path / f"d{level}"
        write_picture(folder / "1.png", level)
        for name in "ab":
            (folder / name).symlink_to(tmp_path / f"d{level + 1}")
    started = time.process_time()
    found = load_natural(tmp_path / "d0", TINY_SHAPE, cache=False)
    assert sorted(read_levels(found)) == list(range(30))
    assert time.process_time() - started < 2


def test_the_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_walk, "MOST_FILES", 5)
    for number in range(6):
        write_picture(tmp_path / "A" / f"{number}.png")
    with pytest.raises(InputError, match="has more than 5 files: give a subset"):
        load_cohort(tmp_path, TINY_SHAPE)
