"""Images in NumPy files."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from gradient_images import GRADIENT_SHAPE
from grey_files import MONO_SHAPE, MONO_VALUES
from image_folders import TINY_SHAPE, read_levels
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError, reason_of
from straylight.data.files.arrays import image_set_from_array, load_arrays
from straylight.data.photographs.load import load_natural


def test_arrays_of_16_bits_are_medical_only(tmp_path: Path) -> None:
    from straylight.data.photographs.load import load_natural

    np.save(tmp_path / "x.npy", MONO_VALUES[None])
    with pytest.raises(InputError, match="has uint16 images"):
        load_natural(tmp_path / "x.npy", MONO_SHAPE)


def test_arrays_that_are_no_images_have_their_own_sentence(tmp_path: Path) -> None:
    for array, reason in (
        (
            np.zeros((8, 8, 3), np.uint8),
            r"\(8, 8, 3\), which may be one colour image or many narrow grey",
        ),
        (np.zeros((2, 8, 8), bool), "has bool images: true and false make a mask, not an image"),
        (np.zeros((2, 8, 8), np.int64), "has int64 images: the value for white is unknown"),
    ):
        np.save(tmp_path / "one.npy", array)
        with pytest.raises(InputError, match=reason):
            load_natural(tmp_path / "one.npy", TINY_SHAPE)
    np.savez(tmp_path / "x.npz", images=np.full((2, 8, 8), 9, np.uint8), labels=[0, 1])
    (tmp_path / "x.npz").rename(tmp_path / "X.NPZ")
    assert read_levels(load_natural(tmp_path / "X.NPZ", TINY_SHAPE)) == [9, 9]
    assert read_levels(load_cohort(tmp_path / "X.NPZ", TINY_SHAPE).images) == [9, 9]
    said = reason_of(ValueError("malformed node: <ast.Tuple object at 0x7f1234567890>"))
    assert re.search("object at", said) is None


def test_arrays_of_every_layout_are_the_same_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 10, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    np.savez(tmp_path / "b.npz", images=pixels.transpose(0, 3, 1, 2), labels=np.zeros(4))
    np.savez(tmp_path / "c.npz", photos=pixels / np.float32(255))
    sets = [load_natural(tmp_path / name, GRADIENT_SHAPE) for name in ("a.npy", "b.npz", "c.npz")]
    assert {images.sha256 for images in sets} == {sets[0].sha256}
    assert torch.equal(sets[0].pixels, torch.from_numpy(pixels.transpose(0, 3, 1, 2)))
    grey = image_set_from_array(pixels[..., 0], (1, 8, 10), "grey")
    assert torch.equal(grey.pixels[:, 0], torch.from_numpy(pixels[..., 0]))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 8, 10, 5), np.uint8), "has images of shape"),
        (np.zeros((0, 8, 10, 3), np.uint8), "at least one image"),
        (np.full((2, 8, 10, 3), 2.0), r"outside \[0, 1\]"),
        (np.full((2, 8, 10, 3), np.nan), r"outside \[0, 1\]"),
        (np.zeros((2, 8, 10, 3), np.int64), "int64 images"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        image_set_from_array(array, GRADIENT_SHAPE, "x.npy")


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "executed",)  # type: ignore[return-value]

    np.save(tmp_path / "a.npy", np.array([Hostile()], dtype=object), allow_pickle=True)
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 not a zip")
    (tmp_path / "c.npy").write_bytes(b"")
    for name in ("a.npy", "b.npz", "c.npy"):
        with pytest.raises(InputError, match="cannot be read as a NumPy file without pickled"):
            load_arrays(tmp_path / name)
    assert not (tmp_path / "executed").exists()
