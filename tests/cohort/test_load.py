"""Labelled images from class folders, manifests and arrays: the same images, the same cohort."""

from pathlib import Path

import numpy as np
import pytest
import torch

from manifests import COHORT_SHAPE, rows_of_folder, write_manifest
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError


def test_the_same_images_are_the_same_cohort_whichever_way_they_come(class_folders: Path) -> None:
    folders = load_cohort(class_folders, COHORT_SHAPE)
    manifest = load_cohort(
        write_manifest(class_folders, rows_of_folder(class_folders)), COHORT_SHAPE
    )
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
    for other in (manifest, load_cohort(arrays, COHORT_SHAPE), load_cohort(numbers, COHORT_SHAPE)):
        assert other.images.sha256 == folders.images.sha256
        assert torch.equal(other.labels, folders.labels)
        assert other.class_names == folders.class_names


def test_labels_follow_the_order_of_the_model(class_folders: Path) -> None:
    cohort = load_cohort(class_folders, COHORT_SHAPE, ("light", "unseen", "dark"))
    assert cohort.class_names == ("light", "unseen", "dark")
    assert cohort.labels.tolist() == [2] * 12 + [0] * 12


def test_labels_stay_with_their_images_when_one_is_skipped(class_folders: Path) -> None:
    (class_folders / "dark" / "0.png").write_text("broken")
    cohort = load_cohort(class_folders, COHORT_SHAPE)
    assert cohort.labels.tolist() == [0] * 11 + [1] * 12
    assert [item.file for item in cohort.images.skipped] == ["dark/0.png"]


def test_classes_that_the_model_does_not_know_are_refused(class_folders: Path) -> None:
    with pytest.raises(InputError, match="has the class dark, which the model does not know"):
        load_cohort(class_folders, COHORT_SHAPE, ("light", "medium"))


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
        ("x.txt", "is not a folder, an archive"),
        ("nolabels.npz", "the arrays images and labels are needed"),
        ("short.npz", "give one label per image"),
        ("range.npz", r"labels outside 0\.\.1"),
    ]:
        with pytest.raises(InputError, match=message):
            load_cohort(tmp_path / name, COHORT_SHAPE, ("dark", "light"))
