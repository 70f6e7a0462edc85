"""Pictures hold the pixels; a broken or strange array is refused."""

from pathlib import Path

import numpy as np
import pytest

from fixed_audit import (
    board,
    fixed_audit,
)
from report_pages import pixels
from straylight.core.errors import InputError
from straylight.report.render import render


def test_pictures_hold_the_pixels(folder: Path) -> None:
    html = render(fixed_audit(), folder)
    sign = np.kron(board(1)[0].transpose(1, 2, 0), np.ones((16, 16, 1)))
    assert "amplified 20 times" in html
    found = pixels(html, "Perturbation gradient, amplified")
    np.testing.assert_array_equal(found, np.where(sign > 0, 204, 51))
    np.testing.assert_array_equal(pixels(html, "Photograph 3"), np.full((128, 128, 3), 30))
    np.testing.assert_array_equal(pixels(html, "Medical image 1, class"), np.full_like(found, 100))
    attacked = pixels(html, "Medical image 1 under attack")
    np.testing.assert_array_equal(attacked, np.where(sign > 0, 104, 96))
    clipped = pixels(html, "Medical image 2 under attack")
    np.testing.assert_array_equal(clipped, np.where(sign > 0, 255, 250))


@pytest.mark.parametrize(
    "name",
    [
        "photographs.npy",
        "adapted.npy",
        "examples.npy",
        "perturbations/gradient.npy",
        "perturbations/sphere-2.npy",
    ],
)
def test_a_missing_or_broken_array_is_an_error(folder: Path, name: str) -> None:
    path = folder / name
    path.unlink()
    with pytest.raises(InputError, match=path.name):
        render(fixed_audit(), folder)
    path.write_bytes(b"not an array")
    with pytest.raises(InputError, match=path.name):
        render(fixed_audit(), folder)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("photographs.npy", np.zeros((2, 3, 8, 8), np.float32)),
        ("examples.npy", np.zeros((2, 1, 8, 8), np.uint8)),
        ("examples.npy", np.zeros((5, 3, 8, 8), np.uint8)),
        ("perturbations/gradient.npy", np.zeros((1, 3, 8, 9), np.float32)),
        ("perturbations/gradient.npy", np.full((1, 3, 8, 8), np.nan, np.float32)),
    ],
)
def test_an_array_that_does_not_fit_is_an_error(folder: Path, name: str, array: np.ndarray) -> None:
    np.save(folder / name, array)
    with pytest.raises(InputError, match=Path(name).name):
        render(fixed_audit(), folder)
