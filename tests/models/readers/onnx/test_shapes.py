"""ONNX operators that change shapes, on a few numbers."""

import pytest
import torch

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.shapes import (
    attribute_or_input,
    onnx_depth_to_space,
    onnx_expand,
    onnx_pad,
    onnx_space_to_depth,
    onnx_split,
    onnx_squeeze,
)

X = torch.arange(2.0 * 8 * 4 * 6).reshape(2, 8, 4, 6)


def test_axes_are_an_attribute_or_an_input() -> None:
    assert attribute_or_input((1, 2), None) == [1, 2]
    assert attribute_or_input(None, torch.tensor([3])) == [3]
    assert attribute_or_input(None, None) is None


def test_space_to_depth_undoes_depth_to_space() -> None:
    space = onnx_depth_to_space(X, blocksize=2)
    assert space.shape == (2, 2, 8, 12)
    assert torch.equal(onnx_space_to_depth(space, blocksize=2), X)


def test_both_shapes_are_broadcast() -> None:
    found = onnx_expand(torch.ones(3, 1), torch.tensor([2, 1, 4]))
    assert torch.equal(found, torch.ones(2, 3, 4))


def test_the_last_part_of_a_split_is_shorter() -> None:
    assert [part.shape[1] for part in onnx_split(X, axis=1, outputs=3)] == [3, 3, 2]


def test_pads_come_first_and_last() -> None:
    found = onnx_pad(torch.ones(1, 2), pads=(0, 1, 0, 2), value=7.0)
    assert torch.equal(found, torch.tensor([[7.0, 1, 1, 7, 7]]))


def test_only_axes_of_one_are_squeezed() -> None:
    assert onnx_squeeze(torch.ones(1, 2, 1), axes=(0,)).shape == (2, 1)
    with pytest.raises(UnsupportedModelError, match="not of length 1"):
        onnx_squeeze(torch.ones(1, 2, 1), axes=(1,))
