"""Training and test folders are not classes."""

from pathlib import Path

import pytest

from image_folders import TINY_SHAPE, encode_grey_png, write_files, write_picture
from straylight.cohort.load import load_cohort
from straylight.cohort.splits import detect_split
from straylight.core.errors import InputError


@pytest.mark.parametrize(
    "parts",
    [
        ("train", "val", "test"),
        ("Training", "Testing"),
        ("train", "valid"),
        ("seg_train", "seg_test"),
        ("TEST", "TRAIN", "chest_xray"),
        ("test",),
    ],
)
def test_case_6_training_and_test_folders_are_no_classes(
    tmp_path: Path, parts: tuple[str, ...]
) -> None:
    for part in parts:
        for name in ("NORMAL", "PNEUMONIA"):
            write_picture(tmp_path / part / name / "1.png")
    for classes in (None, ("NORMAL", "PNEUMONIA")):
        with pytest.raises(
            InputError, match="splits of a data set and not classes: give one of them"
        ):
            load_cohort(tmp_path, TINY_SHAPE, classes)
    assert load_cohort(tmp_path / parts[0], TINY_SHAPE).class_names == ("NORMAL", "PNEUMONIA")


def test_training_and_test_folders_in_class_folders_are_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_picture(tmp_path / "NORMAL" / part / "1.png")
    with pytest.raises(InputError, match=r"test, train in its class folders, .* manifest"):
        load_cohort(tmp_path, TINY_SHAPE)


def test_classes_may_be_called_so(tmp_path: Path) -> None:
    for name in ("Positive test", "Negative test", "attestation"):
        write_picture(tmp_path / "a" / name / "1.png")
    for name in ("train", "validation"):
        write_picture(tmp_path / "b" / name / "1.png")
    assert len(load_cohort(tmp_path / "a", TINY_SHAPE)) == 3
    assert len(load_cohort(tmp_path / "b", TINY_SHAPE, ("validation", "train"))) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TrainData", "ValData"),
        ("train", "holdout"),
        ("data_train", "data-hold-out"),
        ("training_images", "testimages"),
        ("Train Split", "dev"),
    ],
)
def test_parts_of_a_data_set_are_no_classes(tmp_path: Path, one: str, other: str) -> None:
    folder = write_files(
        tmp_path, {f"{one}/1.png": encode_grey_png(1), f"{other}/1.png": encode_grey_png(2)}
    )
    with pytest.raises(InputError, match="splits of a data set and not classes"):
        load_cohort(folder, TINY_SHAPE)
    for name in ("restrained", "contest", "invalid", "latest", "device", "trainee"):
        assert detect_split(name) is None
