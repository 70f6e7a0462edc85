"""Operators of ONNX that reduce numbers along axes."""

from collections.abc import Callable

from torch import Tensor

from straylight.models.readers.onnx.shapes import Ints, chosen


def reducing(function: Callable[[Tensor, Ints, bool], Tensor]) -> Callable[..., Tensor]:
    """Return an operator that reduces along axes."""

    def reduced(
        x: Tensor,
        given: Tensor | None = None,
        *,
        axes: Ints | None = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Tensor:
        along = chosen(axes, given) or []
        if not along and noop_with_empty_axes:
            return x
        every = tuple(axis % max(1, x.ndim) for axis in along) or tuple(range(x.ndim))
        return function(x, every, bool(keepdims))

    return reduced


def product(x: Tensor, axes: Ints, keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "ReduceMean": reducing(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceSum": reducing(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "ReduceMax": reducing(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMin": reducing(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "ReduceProd": reducing(product),
    "ReduceL1": reducing(lambda x, axes, keep: x.abs().sum(axes, keepdim=keep)),
    "ReduceL2": reducing(lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt()),
    "ReduceSumSquare": reducing(lambda x, axes, keep: x.square().sum(axes, keepdim=keep)),
    "ReduceLogSumExp": reducing(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep)),
}
