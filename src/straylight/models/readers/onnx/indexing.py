"""ONNX operators that slice and index tensors."""

from collections.abc import Callable

import torch
from torch import Tensor

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.shapes import Ints, attribute_or_input


def onnx_slice(
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
    begin, end = attribute_or_input(starts, first) or [], attribute_or_input(ends, last) or []
    where = attribute_or_input(axes, along) or list(range(len(begin)))
    steps = attribute_or_input(None, by) or [1] * len(begin)
    for axis, start, stop, step in zip(where, begin, end, steps, strict=True):
        places = range(x.shape[axis])[start:stop:step]
        if step < 0:  # the same positions, in reverse
            places = places[::-1]
        x = _slice_axis(x, axis, places)
        x = x.flip(axis) if step < 0 else x
    return x


def _slice_axis(x: Tensor, axis: int, places: range) -> Tensor:
    """Return a slice of a tensor along one axis."""
    index: list[slice] = [slice(None)] * x.ndim
    index[axis] = slice(places.start, max(places.start, places.stop), places.step)
    return x[tuple(index)]


def onnx_gather(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    axis = axis % max(1, x.ndim)
    flat = indices.reshape(-1).long()
    flat = torch.where(flat < 0, flat + x.shape[axis], flat)
    picked = x.index_select(axis, flat)
    return picked.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def onnx_gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    if batch_dims:
        raise UnsupportedModelError("has a GatherND with batch dimensions")
    return x[tuple(indices.long().unbind(-1))]


def onnx_scatter_nd(
    x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none"
) -> Tensor:
    if reduction not in ("none", "add"):
        raise UnsupportedModelError(f"has a ScatterND of reduction {reduction[:20]!r}")
    return x.index_put(tuple(indices.long().unbind(-1)), updates, accumulate=reduction == "add")


INDEXING: dict[str, Callable[..., Tensor]] = {
    "Slice": onnx_slice,
    "Gather": onnx_gather,
    "GatherND": onnx_gather_nd,
    "ScatterND": onnx_scatter_nd,
}
