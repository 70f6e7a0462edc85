"""ONNX resizing: what torch computes alike, and what it does not."""

import pytest
import torch

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.resizing import onnx_resize, onnx_upsample

X = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
TWICE = torch.tensor([1.0, 1.0, 2.0, 2.0])


def test_the_nearest_pixel_is_repeated() -> None:
    expected = X.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(onnx_upsample(X, TWICE), expected)
    sizes = torch.tensor([1, 1, 4, 4])
    nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    assert torch.equal(onnx_resize(X, sizes=sizes, **nearest), expected)  # type: ignore[arg-type]


def test_corners_stay_where_they_are_aligned() -> None:
    found = onnx_resize(
        X,
        sizes=torch.tensor([3, 3]),
        axes=(2, 3),
        mode="linear",
        coordinate_transformation_mode="align_corners",
    )
    torch.testing.assert_close(found, torch.tensor([[[[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3.0]]]]))


def test_other_coordinates_and_axes_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="of mode 'cubic' with 'asymmetric'"):
        onnx_resize(X, scales=TWICE, mode="cubic", coordinate_transformation_mode="asymmetric")
    with pytest.raises(UnsupportedModelError, match="is not of height and width"):
        onnx_resize(X, scales=TWICE.flip(0), mode="linear")
