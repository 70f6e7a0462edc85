"""ONNX pooling with uneven padding, on a few numbers."""

import pytest
import torch

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.pooling import (
    onnx_average_pool,
    onnx_global_average_pool,
    onnx_global_max_pool,
    onnx_max_pool,
)

X = torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]])
UNEVEN = (0, 0, 1, 1)  # below and on the right


def test_padding_is_never_the_largest() -> None:
    found = onnx_max_pool(-X.abs(), kernel_shape=(2, 2), pads=UNEVEN)
    assert torch.equal(found, torch.tensor([[[[-1.0, -2], [-3, -4]]]]))


def test_padding_counts_in_the_average_if_asked() -> None:
    without = onnx_average_pool(X, kernel_shape=(2, 2), pads=UNEVEN)
    torch.testing.assert_close(without, torch.tensor([[[[0.5, -1], [-0.5, -4]]]]))
    counted = onnx_average_pool(X, kernel_shape=(2, 2), pads=UNEVEN, count_include_pad=1)
    torch.testing.assert_close(counted, torch.tensor([[[[0.5, -0.5], [-0.25, -1]]]]))
    with pytest.raises(UnsupportedModelError, match="has an AveragePool with dilations"):
        onnx_average_pool(X, kernel_shape=(2, 2), dilations=(2, 2))


def test_global_pooling_keeps_its_axes() -> None:
    assert torch.equal(onnx_global_average_pool(X), torch.tensor([[[[0.5]]]]))
    assert torch.equal(onnx_global_max_pool(X), torch.tensor([[[[3.0]]]]))
