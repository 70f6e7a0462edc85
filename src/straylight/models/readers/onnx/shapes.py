"""ONNX operators that reshape, expand, pad, join and split tensors."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from straylight.models.readers.network import UnsupportedModelError

Ints = tuple[int, ...]


def attribute_or_input(attribute: Ints | None, given: Tensor | None) -> list[int] | None:
    """Return integers that are an attribute in older opsets and an input in newer ones."""
    if attribute is not None:
        return list(attribute)
    return None if given is None else [int(n) for n in given.reshape(-1).tolist()]


def onnx_shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(list(x.shape)[start:end], dtype=torch.int64, device="cpu")


def onnx_size(x: Tensor) -> Tensor:
    return torch.tensor(x.numel(), dtype=torch.int64, device="cpu")


def onnx_reshape(x: Tensor, target: Tensor, *, allowzero: int = 0) -> Tensor:
    sides = [int(n) for n in target.reshape(-1).tolist()]
    if not allowzero:
        sides = [x.shape[n] if side == 0 else side for n, side in enumerate(sides)]
    return x.reshape(sides)


def reshape_any_batch(x: Tensor, *_: Tensor, sides: Ints) -> Tensor:
    """Reshape a batch of any size, in a graph that was exported for one batch size."""
    return x.reshape(-1, *sides)


def onnx_flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), -1)


def onnx_transpose(x: Tensor, *, perm: Ints | None = None) -> Tensor:
    return x.permute(perm if perm is not None else tuple(reversed(range(x.ndim))))


def onnx_squeeze(x: Tensor, given: Tensor | None = None, *, axes: Ints | None = None) -> Tensor:
    along = attribute_or_input(axes, given)
    if along is None:
        return x.squeeze()
    if any(x.shape[axis] != 1 for axis in along):
        raise UnsupportedModelError("squeezes an axis that is not of length 1")
    return x.squeeze(tuple(along))


def onnx_unsqueeze(x: Tensor, given: Tensor | None = None, *, axes: Ints | None = None) -> Tensor:
    along = attribute_or_input(axes, given) or []
    for axis in sorted(axis % (x.ndim + len(along)) for axis in along):
        x = x.unsqueeze(axis)
    return x


def onnx_concat(*parts: Tensor, axis: int) -> Tensor:
    return torch.cat(parts, axis)


def concat_any_batch(*parts: Tensor, axis: int) -> Tensor:
    """Join parts of a batch of any size, some of which have one row for all images."""
    n = max(part.shape[0] for part in parts)
    wide = [part.expand(n, *part.shape[1:]) if part.shape[0] == 1 else part for part in parts]
    return torch.cat(wide, axis)


def onnx_split(
    x: Tensor,
    given: Tensor | None = None,
    *,
    axis: int = 0,
    split: Ints | None = None,
    num_outputs: int = 0,
    outputs: int,
) -> tuple[Tensor, ...]:
    sizes = attribute_or_input(split, given)
    if sizes is None:
        each = math.ceil(x.shape[axis] / outputs)
        sizes = [each] * (outputs - 1) + [x.shape[axis] - each * (outputs - 1)]
    return torch.split(x, sizes, axis)


def onnx_cum_sum(x: Tensor, along: Tensor, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    axis = int(along.item())
    turned = x.flip(axis) if reverse else x
    sums = turned.cumsum(axis, dtype=x.dtype)
    sums = sums - turned if exclusive else sums
    return sums.flip(axis) if reverse else sums


def onnx_expand(x: Tensor, target: Tensor) -> Tensor:
    sides = [int(n) for n in target.reshape(-1).tolist()]
    return x.expand(_broadcast_shape(x, sides))


def _broadcast_shape(x: Tensor, sides: list[int]) -> list[int]:
    """Return the shape to which a tensor and another shape broadcast."""
    longer = max(x.ndim, len(sides))
    pairs = zip(
        (1,) * (longer - x.ndim) + tuple(x.shape), [1] * (longer - len(sides)) + sides, strict=True
    )
    return [theirs if ours == 1 else ours if theirs == 1 else theirs for ours, theirs in pairs]


def onnx_tile(x: Tensor, repeats: Tensor) -> Tensor:
    return x.repeat([int(n) for n in repeats.tolist()])


def onnx_constant_of_shape(target: Tensor, *, value: Tensor | None = None) -> Tensor:
    sides = [int(n) for n in target.reshape(-1).tolist()]
    if value is None:
        return torch.zeros(sides)
    if value.numel() != 1:
        raise UnsupportedModelError("has a ConstantOfShape without one value")
    return torch.full(sides, value.reshape(()).item(), dtype=value.dtype)


def onnx_range(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def onnx_pad(
    x: Tensor,
    given: Tensor | None = None,
    fill: Tensor | None = None,
    along: Tensor | None = None,
    *,
    mode: str = "constant",
    pads: Ints | None = None,
    value: float = 0.0,
) -> Tensor:
    amounts, where = (
        attribute_or_input(pads, given) or [],
        attribute_or_input(None, along) or list(range(x.ndim)),
    )
    half, width = len(amounts) // 2, [(0, 0)] * x.ndim
    for n, axis in enumerate(where):
        width[axis] = (amounts[n], amounts[half + n])
    names = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    if mode not in names or len(amounts) != 2 * len(where):
        raise UnsupportedModelError(f"has a Pad of mode {mode[:20]!r}")
    if mode == "constant":
        flat = [n for pair in reversed(width) for n in pair]
        return F.pad(x, flat, value=value if fill is None else float(fill.item()))
    if x.ndim != 4 or any(map(any, width[:2])):  # F.pad takes no others
        raise UnsupportedModelError(
            "has a Pad that is not constant on other axes than height and width"
        )
    return F.pad(x, [*width[3], *width[2]], mode=names[mode])


def onnx_depth_to_space(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    if mode == "CRD":
        return F.pixel_shuffle(x, blocksize)
    n, c, h, w = x.shape
    deep = c // blocksize**2
    parts = x.reshape(n, blocksize, blocksize, deep, h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, deep, h * blocksize, w * blocksize)


def onnx_space_to_depth(x: Tensor, *, blocksize: int) -> Tensor:
    n, c, h, w = x.shape
    b = blocksize
    parts = x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * b * b, h // b, w // b)


SHAPES: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "Shape": onnx_shape,
    "Size": onnx_size,
    "Reshape": onnx_reshape,
    "Flatten": onnx_flatten,
    "Transpose": onnx_transpose,
    "Squeeze": onnx_squeeze,
    "Unsqueeze": onnx_unsqueeze,
    "Concat": onnx_concat,
    "Split": onnx_split,
    "CumSum": onnx_cum_sum,
    "Expand": onnx_expand,
    "Tile": onnx_tile,
    "ConstantOfShape": onnx_constant_of_shape,
    "Range": onnx_range,
    "Pad": onnx_pad,
    "DepthToSpace": onnx_depth_to_space,
    "SpaceToDepth": onnx_space_to_depth,
}
