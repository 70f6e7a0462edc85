"""Operators of ONNX that look at windows of an image: convolutions and pooling."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from straylight.core.errors import quoted
from straylight.models.readers.export_checks import Refused

Ints = tuple[int, ...]


class Window:
    """How windows lie on an image, height and width alike.

    Args:
        sides: Of one window.
        strides, dilations, pads, auto_pad: As ONNX has them (pads: all that come first, then all that
            come last).
    """

    def __init__(
        self, sides: Ints, strides: Ints, dilations: Ints, pads: Ints, auto_pad: str
    ) -> None:
        n = len(sides)
        self.sides, self.strides, self.dilations = sides, strides or (1,) * n, dilations or (1,) * n
        if auto_pad != "NOTSET" and any(pads):
            raise Refused("has windows with both pads and an auto_pad")
        self.pads = pads if pads and auto_pad == "NOTSET" else (0,) * (2 * n)
        lengths = {len(self.strides), len(self.dilations), len(self.pads) // 2}
        every = (*sides, *self.strides, *self.dilations)
        if lengths != {n} or min(every, default=0) < 1 or min(self.pads, default=0) < 0:
            raise Refused("has windows without plain sides, strides and pads")
        if auto_pad not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
            raise Refused(f"has a padding {auto_pad[:20]!r}")
        self.auto_pad = auto_pad

    def around(self, x: Tensor) -> list[tuple[int, int]]:
        """Return what is added before and behind each side of an image."""
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

    def padded(self, x: Tensor, value: float = 0.0) -> tuple[Tensor, Ints]:
        """Return an image and the padding, alike on both sides, that is left to do."""
        if x.ndim != 2 + len(self.sides):
            raise Refused("has windows of another number of dimensions than the image")
        around = self.around(x)
        if all(before == behind for before, behind in around):
            return x, tuple(before for before, _ in around)
        flat = [n for pair in reversed(around) for n in pair]
        return F.pad(x, flat, value=value), (0,) * len(around)


def sides_of(weight: Tensor, kernel_shape: Ints) -> Ints:
    """Return the sides of a convolution's windows.

    Raises:
        Refused: If its attribute and its weights say different ones.
    """
    sides = tuple(weight.shape[2:])
    if kernel_shape not in ((), sides):
        raise Refused(
            f"has a convolution of kernel_shape {quoted(kernel_shape)} with weights of {quoted(sides)}"
        )
    return sides


class Padding(nn.Module):
    """Zeros around an image before a convolution, where they are not alike on all sides."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        around = self.window.around(x)
        return F.pad(x, [n for pair in reversed(around) for n in pair])


def convolve(
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
    window = Window(sides_of(weight, kernel_shape), strides, dilations, pads, auto_pad)
    x, left = window.padded(x)
    function: Callable[..., Tensor] = {3: F.conv1d, 4: F.conv2d}[x.ndim]
    return function(x, weight, bias, window.strides, left, window.dilations, group)


def convolution(
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
    """Return a convolution of images as torch's own layer, so that batch norms can be folded into it."""
    window = Window(sides_of(weight, kernel_shape), strides, dilations, pads, auto_pad)
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
    fill(layer, weight=weight, bias=bias)
    return layer if alike else nn.Sequential(Padding(window), layer)


def fill(layer: nn.Module, **tensors: Tensor | None) -> None:
    """Put tensors of the right shapes into a layer."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if getattr(layer, name).shape != tensor.shape:
            raise Refused(f"has a {type(layer).__name__} whose {name} has another shape")
        if name.startswith("running_"):
            setattr(layer, name, tensor)
        else:
            setattr(layer, name, nn.Parameter(tensor, requires_grad=False))


def deconvolve(
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
    window = Window(sides_of(weight, kernel_shape), strides, dilations, pads, "NOTSET")
    around = window.around(x)
    if x.ndim != 4 or any(before != behind for before, behind in around):
        raise Refused("has a ConvTranspose that is padded otherwise on each side")
    left = tuple(before for before, _ in around)
    more = output_padding or 0
    return F.conv_transpose2d(x, weight, bias, window.strides, left, more, group, window.dilations)


def largest(
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
    window = Window(kernel_shape, strides, dilations, pads, auto_pad)
    around = window.around(x)
    if any(2 * max(pair) > side for pair, side in zip(around, kernel_shape, strict=True)):
        x = F.pad(x, [n for pair in reversed(around) for n in pair], value=-math.inf)
        left: Ints = (0,) * len(around)
    else:
        x, left = window.padded(x, -math.inf)
    function: Callable[..., Tensor] = {3: F.max_pool1d, 4: F.max_pool2d}[x.ndim]
    return function(x, kernel_shape, window.strides, left, window.dilations, bool(ceil_mode))


def average(
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
    window = Window(kernel_shape, strides, dilations, pads, auto_pad)
    if set(window.dilations) != {1} or x.ndim != 4:
        raise Refused("has an AveragePool that is not of plain windows of an image")
    around = window.around(x)
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


def everywhere(x: Tensor) -> Tensor:
    return x.mean(tuple(range(2, x.ndim)), keepdim=True)


def largest_everywhere(x: Tensor) -> Tensor:
    return x.amax(tuple(range(2, x.ndim)), keepdim=True)


WINDOWS: dict[str, Callable[..., Tensor]] = {
    "Conv": convolve,
    "ConvTranspose": deconvolve,
    "MaxPool": largest,
    "AveragePool": average,
    "GlobalAveragePool": everywhere,
    "GlobalMaxPool": largest_everywhere,
}
