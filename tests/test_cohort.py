"""Labelled images from class folders, manifests and arrays: the same images, the same cohort."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from straylight.cohort import load_cohort
from straylight.errors import InputError
from straylight.images import find_files

SHAPE = (3, 20, 24)


def write_manifest(folder: Path, rows: list[tuple[str, str]], header: str = "file,label") -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        stream.write(header + "\r\n")
        csv.writer(stream).writerows(rows)
    return path


def rows_of(folder: Path) -> list[tuple[str, str]]:
    return [(f.relative_to(folder).as_posix(), f.parent.name) for f in find_files(folder)]


def test_the_same_images_are_the_same_cohort_whichever_way_they_come(class_folders: Path) -> None:
    folders = load_cohort(class_folders, SHAPE)
    manifest = load_cohort(write_manifest(class_folders, rows_of(class_folders)), SHAPE)
    arrays = class_folders.parent / "cohort.npz"
    names = np.array(folders.class_names)
    np.savez(arrays, images=folders.images.pixels.numpy(), labels=names[folders.labels])
    numbers = class_folders.parent / "numbers.npz"
    np.savez(
        numbers,
        images=folders.images.pixels.numpy(),
        labels=folders.labels.numpy()[:, None],
        class_names=names,
    )
    assert folders.class_names == ("dark", "light")
    for other in (manifest, load_cohort(arrays, SHAPE), load_cohort(numbers, SHAPE)):
        assert other.images.sha256 == folders.images.sha256
        assert torch.equal(other.labels, folders.labels)
        assert other.class_names == folders.class_names


def test_labels_follow_the_order_of_the_model(class_folders: Path) -> None:
    cohort = load_cohort(class_folders, SHAPE, ("light", "unseen", "dark"))
    assert cohort.class_names == ("light", "unseen", "dark")
    assert cohort.labels.tolist() == [2] * 12 + [0] * 12


def test_labels_stay_with_their_images_when_one_is_skipped(class_folders: Path) -> None:
    (class_folders / "dark" / "0.png").write_text("broken")
    cohort = load_cohort(class_folders, SHAPE)
    assert cohort.labels.tolist() == [0] * 11 + [1] * 12
    assert [item.file for item in cohort.images.skipped] == ["dark/0.png"]


def test_bad_manifests_are_refused(class_folders: Path) -> None:
    rows = rows_of(class_folders)
    cases = [
        (
            [*rows, ("dark/none.png", "dark")],
            "file,label",
            "line 26: the file dark/none.png does not",
        ),
        ([*rows, ("", "dark")], "file,label", "line 26: both file and label"),
        (rows, "path,class", "must have the columns file,label"),
        ([], "file,label", "must have the columns file,label and at least one row"),
    ]
    for content, header, message in cases:
        with pytest.raises(InputError, match=message):
            load_cohort(write_manifest(class_folders, content, header), SHAPE)
    (class_folders / "manifest.csv").write_bytes(b"file,label\n\xff\xfe,dark\n")
    with pytest.raises(InputError, match="is not a CSV file in UTF-8"):
        load_cohort(class_folders / "manifest.csv", SHAPE)


def test_classes_that_the_model_does_not_know_are_refused(class_folders: Path) -> None:
    with pytest.raises(InputError, match="has the class dark, which the model does not know"):
        load_cohort(class_folders, SHAPE, ("light", "medium"))


def test_other_things_are_refused(class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    (class_folders / "dark" / "0.png").rename(tmp_path / "flat" / "0.png")
    (tmp_path / "x.txt").write_text("x")
    np.savez(tmp_path / "nolabels.npz", images=np.zeros((2, 4, 4), np.uint8))
    np.savez(tmp_path / "short.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.zeros(3, int))
    np.savez(tmp_path / "range.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 9]))
    for name, message in [
        ("flat", "has no image in class folders"),
        ("nowhere", "does not exist"),
        ("x.txt", "is no folder, .csv or .npz"),
        ("nolabels.npz", "expected the arrays images and labels"),
        ("short.npz", "give one for each image"),
        ("range.npz", r"labels outside 0\.\.1"),
    ]:
        with pytest.raises(InputError, match=message):
            load_cohort(tmp_path / name, SHAPE, ("dark", "light"))
