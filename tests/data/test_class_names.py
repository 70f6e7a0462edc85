"""Class names in other Unicode forms or another case."""

import unicodedata
from pathlib import Path

import pytest

from image_folders import TINY_SHAPE, read_levels, write_picture
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError


def test_case_19_names_in_another_unicode_form_are_the_same(tmp_path: Path) -> None:
    names = ("Ménière", "MEL", "gut art.")
    for level, name in enumerate(names):
        write_picture(tmp_path / "a" / f"{unicodedata.normalize('NFD', name)} " / "1.png", level)
    cohort = load_cohort(tmp_path / "a", TINY_SHAPE, names)
    assert read_levels(cohort.images) == cohort.labels.tolist()
    write_picture(tmp_path / "a" / "Gut Art" / "1.png")
    with pytest.raises(InputError, match=r"has the class Gut Art, .* perhaps you meant gut art"):
        load_cohort(tmp_path / "a", TINY_SHAPE, names)


def test_names_that_differ_in_case_only_are_not_two_classes(tmp_path: Path) -> None:
    for name in ("Mel", "mel"):
        write_picture(tmp_path / name / "1.png")
    with pytest.raises(InputError, match="has the classes Mel and mel, which differ only in upper"):
        load_cohort(tmp_path, TINY_SHAPE)
    assert load_cohort(tmp_path, TINY_SHAPE, ("mel", "Mel")).labels.tolist() == [1, 0]
    with pytest.raises(InputError, match="has the class MEL, which the model does not know"):
        load_cohort(
            write_picture(tmp_path / "c" / "MEL" / "1.png").parent.parent,
            TINY_SHAPE,
            ("mel", "Mel"),
        )
