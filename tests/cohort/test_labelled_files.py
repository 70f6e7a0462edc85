"""Cohorts from image files."""

from pathlib import Path

import pytest

from image_folders import load_table
from straylight.core.errors import InputError


def test_two_labels_of_one_file_through_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.png").symlink_to("a.png")
    with pytest.raises(InputError, match=r"line 3: c.png is the same file as a.png of line 2"):
        load_table(tmp_path, "file,label\na.png,A\nc.png,B\nb.png,B\n")
