"""Class names of cohorts."""

from pathlib import Path

import numpy as np
import pytest

from image_folders import TINY_SHAPE, encode_grey_png, write_files
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError
from straylight.models.specification import parse_class_names


@pytest.mark.parametrize("name", ["b\udcff", "a\nb", "a\x1bb", "a\u2028b"])
def test_class_names_that_no_file_keeps_are_refused(tmp_path: Path, name: str) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["a", name]))
    with pytest.raises(InputError, match="cannot be recorded: class names have at most 1000"):
        load_cohort(tmp_path / "a.npz", TINY_SHAPE)
    folder = write_files(
        tmp_path / "in", {"a/1.png": encode_grey_png(1), f"{name}/1.png": encode_grey_png(2)}
    )
    with pytest.raises(InputError, match="cannot be recorded: class names have at most 1000"):
        load_cohort(folder, TINY_SHAPE)
    with pytest.raises(InputError, match="cannot be recorded: class names have at most 1000"):
        parse_class_names(["a", name])
