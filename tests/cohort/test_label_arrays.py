"""Labels in arrays."""

from pathlib import Path

import numpy as np
import pytest

from image_folders import TINY_SHAPE
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 0, 1], bool),
        np.array([1, 0, 1], np.float64),
        np.array([1, 0, 1], np.float16),
        np.array([b"MEL", b"NV", b"MEL"]),
        np.array(["MEL ", "NV", "mel"]),
        np.array([[1.0], [0.0], [1.0]]),
    ],
)
def test_case_26_labels_of_any_type(tmp_path: Path, labels: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8, 3), np.uint8), labels=labels)
    assert load_cohort(tmp_path / "a.npz", TINY_SHAPE, ("NV", "MEL")).labels.tolist() == [1, 0, 1]
    np.savez(tmp_path / "b.npz", images=np.zeros((3, 8, 8, 3), np.uint8), labels=[0.5, 1, 0])
    with pytest.raises(InputError, match="float64 that are not whole numbers"):
        load_cohort(tmp_path / "b.npz", TINY_SHAPE, ("NV", "MEL"))


def test_numbers_of_classes_that_are_numbers_are_names(tmp_path: Path) -> None:
    """Class 2 of a model that sorts its names as texts is not its third."""
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8, 3), np.uint8), labels=[0, 2, 10])
    assert load_cohort(tmp_path / "a.npz", TINY_SHAPE, ("0", "10", "2")).labels.tolist() == [
        0,
        2,
        1,
    ]
