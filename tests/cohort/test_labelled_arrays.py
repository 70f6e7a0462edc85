"""Cohorts from array files: those of the paper, and those in the layout of MedMNIST."""

from pathlib import Path

import numpy as np
import pytest

from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError

SHAPE = (3, 20, 24)


def test_arrays_of_the_paper_and_of_medmnist(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 20, 24, 3), dtype=np.uint8)
    numbers = np.array([0, 1, 2, 0, 1, 2])
    np.savez(tmp_path / "plain.npz", images=images, labels=numbers)
    np.savez(
        tmp_path / "set.npz", test_images=images, test_labels=numbers[:, None], train_images=images
    )
    np.save(tmp_path / "X_test.npy", images)
    np.save(tmp_path / "y_test.npy", np.eye(3)[numbers])
    names = ("a", "b", "c")
    expected = load_cohort(tmp_path / "plain.npz", SHAPE, names)
    for spec in ("set.npz:test", "X_test.npy"):
        found = load_cohort(f"{tmp_path}/{spec}", SHAPE, names)
        assert found.images.sha256 == expected.images.sha256
        assert found.labels.tolist() == numbers.tolist()
    np.save(tmp_path / "X_other.npy", images)
    np.savez(tmp_path / "many.npz", images=images, labels=np.ones((6, 3)))
    for spec, message in [
        ("set.npz", r"Choose a split: .*set\.npz:(train|test)\."),
        ("set.npz:val", "does not have this split"),
        ("X_other.npy", "put their labels beside them as y_NAME.npy"),
        ("many.npz", "not one-hot"),
    ]:
        with pytest.raises(InputError, match=message):
            load_cohort(f"{tmp_path}/{spec}", SHAPE, names)
