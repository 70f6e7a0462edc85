"""Operators of ONNX that move, cut and join numbers."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from straylight.models.readers.export_checks import Refused

Ints = tuple[int, ...]


def chosen(attribute: Ints | None, given: Tensor | None) -> list[int] | None:
    """Return whole numbers that older versions have as an attribute and newer ones as an input."""
    if attribute is not None:
        return list(attribute)
    return None if given is None else [int(n) for n in given.reshape(-1).tolist()]


def shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(list(x.shape)[start:end], dtype=torch.int64, device="cpu")


def size(x: Tensor) -> Tensor:
    return torch.tensor(x.numel(), dtype=torch.int64, device="cpu")


def reshape(x: Tensor, target: Tensor, *, allowzero: int = 0) -> Tensor:
    sides = [int(n) for n in target.reshape(-1).tolist()]
    if not allowzero:
        sides = [x.shape[n] if side == 0 else side for n, side in enumerate(sides)]
    return x.reshape(sides)


def reshape_rows(x: Tensor, *_: Tensor, sides: Ints) -> Tensor:
    """Reshape a batch of any size, where the file has it for one."""
    return x.reshape(-1, *sides)


def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), -1)


def transpose(x: Tensor, *, perm: Ints | None = None) -> Tensor:
    return x.permute(perm if perm is not None else tuple(reversed(range(x.ndim))))


def squeeze(x: Tensor, given: Tensor | None = None, *, axes: Ints | None = None) -> Tensor:
    along = chosen(axes, given)
    if along is None:
        return x.squeeze()
    if any(x.shape[axis] != 1 for axis in along):
        raise Refused("squeezes an axis that is not of length 1")
    return x.squeeze(tuple(along))


def unsqueeze(x: Tensor, given: Tensor | None = None, *, axes: Ints | None = None) -> Tensor:
    along = chosen(axes, given) or []
    for axis in sorted(axis % (x.ndim + len(along)) for axis in along):
        x = x.unsqueeze(axis)
    return x


def concat(*parts: Tensor, axis: int) -> Tensor:
    return torch.cat(parts, axis)


def concat_rows(*parts: Tensor, axis: int) -> Tensor:
    """Join parts of a batch of any size, where the file has some of them for one image."""
    n = max(part.shape[0] for part in parts)
    wide = [part.expand(n, *part.shape[1:]) if part.shape[0] == 1 else part for part in parts]
    return torch.cat(wide, axis)


def split(
    x: Tensor,
    given: Tensor | None = None,
    *,
    axis: int = 0,
    split: Ints | None = None,
    num_outputs: int = 0,
    outputs: int,
) -> tuple[Tensor, ...]:
    sizes = chosen(split, given)
    if sizes is None:
        each = math.ceil(x.shape[axis] / outputs)
        sizes = [each] * (outputs - 1) + [x.shape[axis] - each * (outputs - 1)]
    return torch.split(x, sizes, axis)


def cut(
    x: Tensor,
    first: Tensor | None = None,
    last: Tensor | None = None,
    along: Tensor | None = None,
    by: Tensor | None = None,
    *,
    starts: Ints | None = None,
    ends: Ints | None = None,
    axes: Ints | None = None,
) -> Tensor:
    begin, end = chosen(starts, first) or [], chosen(ends, last) or []
    where = chosen(axes, along) or list(range(len(begin)))
    steps = chosen(None, by) or [1] * len(begin)
    for axis, start, stop, step in zip(where, begin, end, steps, strict=True):
        places = range(x.shape[axis])[start:stop:step]
        if step < 0:  # the same places, from the last to the first
            places = places[::-1]
        x = between(x, axis, places)
        x = x.flip(axis) if step < 0 else x
    return x


def between(x: Tensor, axis: int, places: range) -> Tensor:
    """Return a part of a tensor along one axis."""
    index: list[slice] = [slice(None)] * x.ndim
    index[axis] = slice(places.start, max(places.start, places.stop), places.step)
    return x[tuple(index)]


def gather(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    axis = axis % max(1, x.ndim)
    flat = indices.reshape(-1).long()
    flat = torch.where(flat < 0, flat + x.shape[axis], flat)
    picked = x.index_select(axis, flat)
    return picked.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    if batch_dims:
        raise Refused("has a GatherND of each image of its own")
    return x[tuple(indices.long().unbind(-1))]


def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    if reduction not in ("none", "add"):
        raise Refused(f"has a ScatterND of reduction {reduction[:20]!r}")
    return x.index_put(tuple(indices.long().unbind(-1)), updates, accumulate=reduction == "add")


def cumulate(x: Tensor, along: Tensor, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    axis = int(along.item())
    turned = x.flip(axis) if reverse else x
    sums = turned.cumsum(axis, dtype=x.dtype)
    sums = sums - turned if exclusive else sums
    return sums.flip(axis) if reverse else sums


def expand(x: Tensor, target: Tensor) -> Tensor:
    sides = [int(n) for n in target.reshape(-1).tolist()]
    return x.expand(sides_of(x, sides))


def sides_of(x: Tensor, sides: list[int]) -> list[int]:
    """Return the shape that a tensor and another shape give together."""
    longer = max(x.ndim, len(sides))
    pairs = zip(
        (1,) * (longer - x.ndim) + tuple(x.shape), [1] * (longer - len(sides)) + sides, strict=True
    )
    return [theirs if ours == 1 else ours if theirs == 1 else theirs for ours, theirs in pairs]


def tile(x: Tensor, repeats: Tensor) -> Tensor:
    return x.repeat([int(n) for n in repeats.tolist()])


def constant_of_shape(target: Tensor, *, value: Tensor | None = None) -> Tensor:
    sides = [int(n) for n in target.reshape(-1).tolist()]
    if value is None:
        return torch.zeros(sides)
    if value.numel() != 1:
        raise Refused("has a ConstantOfShape without one value")
    return torch.full(sides, value.reshape(()).item(), dtype=value.dtype)


def numbers_from(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def pad(
    x: Tensor,
    given: Tensor | None = None,
    fill: Tensor | None = None,
    along: Tensor | None = None,
    *,
    mode: str = "constant",
    pads: Ints | None = None,
    value: float = 0.0,
) -> Tensor:
    amounts, where = chosen(pads, given) or [], chosen(None, along) or list(range(x.ndim))
    half, width = len(amounts) // 2, [(0, 0)] * x.ndim
    for n, axis in enumerate(where):
        width[axis] = (amounts[n], amounts[half + n])
    names = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    if mode not in names or len(amounts) != 2 * len(where):
        raise Refused(f"has a Pad of mode {mode[:20]!r}")
    if mode == "constant":
        flat = [n for pair in reversed(width) for n in pair]
        return F.pad(x, flat, value=value if fill is None else float(fill.item()))
    if x.ndim != 4 or any(map(any, width[:2])):  # F.pad takes no others
        raise Refused("has a Pad that is not constant, of more than height and width")
    return F.pad(x, [*width[3], *width[2]], mode=names[mode])


def depth_to_space(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    if mode == "CRD":
        return F.pixel_shuffle(x, blocksize)
    n, c, h, w = x.shape
    deep = c // blocksize**2
    parts = x.reshape(n, blocksize, blocksize, deep, h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, deep, h * blocksize, w * blocksize)


def space_to_depth(x: Tensor, *, blocksize: int) -> Tensor:
    n, c, h, w = x.shape
    b = blocksize
    parts = x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * b * b, h // b, w // b)


SHAPES: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "Shape": shape,
    "Size": size,
    "Reshape": reshape,
    "Flatten": flatten,
    "Transpose": transpose,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": concat,
    "Split": split,
    "Slice": cut,
    "Gather": gather,
    "GatherND": gather_nd,
    "ScatterND": scatter_nd,
    "CumSum": cumulate,
    "Expand": expand,
    "Tile": tile,
    "ConstantOfShape": constant_of_shape,
    "Range": numbers_from,
    "Pad": pad,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
