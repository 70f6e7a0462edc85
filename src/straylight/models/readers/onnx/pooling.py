"""ONNX pooling operators."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.windows import Ints, SlidingWindow


def onnx_max_pool(
    x: Tensor,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Ints = (),
    kernel_shape: Ints,
    pads: Ints = (),
    storage_order: int = 0,
    strides: Ints = (),
) -> Tensor:
    window = SlidingWindow(kernel_shape, strides, dilations, pads, auto_pad)
    around = window.padding(x)
    if any(2 * max(pair) > side for pair, side in zip(around, kernel_shape, strict=True)):
        x = F.pad(x, [n for pair in reversed(around) for n in pair], value=-math.inf)
        left: Ints = (0,) * len(around)
    else:
        x, left = window.pad_uneven(x, -math.inf)
    function: Callable[..., Tensor] = {3: F.max_pool1d, 4: F.max_pool2d}[x.ndim]
    return function(x, kernel_shape, window.strides, left, window.dilations, bool(ceil_mode))


def onnx_average_pool(
    x: Tensor,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Ints = (),
    kernel_shape: Ints,
    pads: Ints = (),
    strides: Ints = (),
) -> Tensor:
    window = SlidingWindow(kernel_shape, strides, dilations, pads, auto_pad)
    if set(window.dilations) != {1} or x.ndim != 4:
        raise UnsupportedModelError("has an AveragePool with dilations, or not on images")
    around = window.padding(x)
    alike = all(
        before == behind and 2 * before <= side
        for (before, behind), side in zip(around, kernel_shape, strict=True)
    )
    if alike:
        left = tuple(before for before, _ in around)
        return F.avg_pool2d(
            x, kernel_shape, window.strides, left, bool(ceil_mode), bool(count_include_pad)
        )
    flat = [n for pair in reversed(around) for n in pair]
    inside = torch.ones_like(x[:1, :1])
    inside = F.pad(inside, flat, value=1.0 if count_include_pad else 0.0)
    parts = [
        F.avg_pool2d(part, kernel_shape, window.strides, 0, bool(ceil_mode))
        for part in (F.pad(x, flat), inside)
    ]
    return parts[0] / parts[1]


def onnx_global_average_pool(x: Tensor) -> Tensor:
    return x.mean(tuple(range(2, x.ndim)), keepdim=True)


def onnx_global_max_pool(x: Tensor) -> Tensor:
    return x.amax(tuple(range(2, x.ndim)), keepdim=True)


POOLING: dict[str, Callable[..., Tensor]] = {
    "MaxPool": onnx_max_pool,
    "AveragePool": onnx_average_pool,
    "GlobalAveragePool": onnx_global_average_pool,
    "GlobalMaxPool": onnx_global_max_pool,
}
