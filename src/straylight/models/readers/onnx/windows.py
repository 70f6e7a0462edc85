"""Sliding windows on images, and ONNX convolutions."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from straylight.core.errors import quote_text
from straylight.models.readers.network import UnsupportedModelError

Ints = tuple[int, ...]


class SlidingWindow:
    """The geometry of sliding windows on an image.

    Args:
        sides: Sides of one window.
        strides, dilations, pads, auto_pad: As in ONNX (pads: all at the start of each axis, then all at
            the end).
    """

    def __init__(
        self, sides: Ints, strides: Ints, dilations: Ints, pads: Ints, auto_pad: str
    ) -> None:
        n = len(sides)
        self.sides, self.strides, self.dilations = sides, strides or (1,) * n, dilations or (1,) * n
        if auto_pad != "NOTSET" and any(pads):
            raise UnsupportedModelError("has windows with both pads and an auto_pad")
        self.pads = pads if pads and auto_pad == "NOTSET" else (0,) * (2 * n)
        lengths = {len(self.strides), len(self.dilations), len(self.pads) // 2}
        every = (*sides, *self.strides, *self.dilations)
        if lengths != {n} or min(every, default=0) < 1 or min(self.pads, default=0) < 0:
            raise UnsupportedModelError("has windows without plain sides, strides and pads")
        if auto_pad not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
            raise UnsupportedModelError(f"has a padding {auto_pad[:20]!r}")
        self.auto_pad = auto_pad

    def padding(self, x: Tensor) -> list[tuple[int, int]]:
        """Return the padding at the start and end of each axis of an image."""
        n = len(self.sides)
        if not self.auto_pad.startswith("SAME"):
            return [(self.pads[i], self.pads[n + i]) for i in range(n)]
        found = []
        rows = zip(x.shape[2:], self.sides, self.strides, self.dilations, strict=True)
        for side, window, stride, dilation in rows:
            reach = (math.ceil(side / stride) - 1) * stride + (window - 1) * dilation + 1
            less = max(0, reach - side) // 2
            more = max(0, reach - side) - less
            found.append((less, more) if self.auto_pad == "SAME_UPPER" else (more, less))
        return found

    def pad_uneven(self, x: Tensor, value: float = 0.0) -> tuple[Tensor, Ints]:
        """Pad an image if the padding is uneven; return it and the even padding that is left to do."""
        if x.ndim != 2 + len(self.sides):
            raise UnsupportedModelError(
                "has windows with another number of dimensions than the image"
            )
        around = self.padding(x)
        if all(before == behind for before, behind in around):
            return x, tuple(before for before, _ in around)
        flat = [n for pair in reversed(around) for n in pair]
        return F.pad(x, flat, value=value), (0,) * len(around)


def _kernel_sides(weight: Tensor, kernel_shape: Ints) -> Ints:
    """Return the sides of a convolution's kernel.

    Raises:
        UnsupportedModelError: If its attribute and its weights differ.
    """
    sides = tuple(weight.shape[2:])
    if kernel_shape not in ((), sides):
        raise UnsupportedModelError(
            f"has a convolution with kernel_shape {quote_text(kernel_shape)} and weights of "
            f"{quote_text(sides)}"
        )
    return sides


class Padding(nn.Module):
    """Uneven zero padding before a convolution."""

    def __init__(self, window: SlidingWindow) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        around = self.window.padding(x)
        return F.pad(x, [n for pair in reversed(around) for n in pair])


def onnx_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Tensor:
    window = SlidingWindow(_kernel_sides(weight, kernel_shape), strides, dilations, pads, auto_pad)
    x, left = window.pad_uneven(x)
    function: Callable[..., Tensor] = {3: F.conv1d, 4: F.conv2d}[x.ndim]
    return function(x, weight, bias, window.strides, left, window.dilations, group)


def conv_layer(
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> nn.Module:
    """Build a convolution as a torch layer, so that batch norms can be folded into it."""
    window = SlidingWindow(_kernel_sides(weight, kernel_shape), strides, dilations, pads, auto_pad)
    height, width = window.sides
    top, left, bottom, right = window.pads
    alike = not auto_pad.startswith("SAME") and (top, left) == (bottom, right)
    with torch.device("meta"):
        layer = nn.Conv2d(
            weight.shape[1] * group,
            weight.shape[0],
            (height, width),
            (window.strides[0], window.strides[1]),
            (top, left) if alike else 0,
            (window.dilations[0], window.dilations[1]),
            group,
            bias is not None,
        )
    fill_layer(layer, weight=weight, bias=bias)
    return layer if alike else nn.Sequential(Padding(window), layer)


def fill_layer(layer: nn.Module, **tensors: Tensor | None) -> None:
    """Set the parameters and buffers of a layer, after checking their shapes."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if getattr(layer, name).shape != tensor.shape:
            raise UnsupportedModelError(
                f"has a {type(layer).__name__} whose {name} has another shape"
            )
        if name.startswith("running_"):
            setattr(layer, name, tensor)
        else:
            setattr(layer, name, nn.Parameter(tensor, requires_grad=False))


def onnx_conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    output_padding: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Tensor:
    window = SlidingWindow(_kernel_sides(weight, kernel_shape), strides, dilations, pads, "NOTSET")
    around = window.padding(x)
    if x.ndim != 4 or any(before != behind for before, behind in around):
        raise UnsupportedModelError("has a ConvTranspose with uneven padding")
    left = tuple(before for before, _ in around)
    more = output_padding or 0
    return F.conv_transpose2d(x, weight, bias, window.strides, left, more, group, window.dilations)


CONVOLUTIONS: dict[str, Callable[..., Tensor]] = {
    "Conv": onnx_conv,
    "ConvTranspose": onnx_conv_transpose,
}
