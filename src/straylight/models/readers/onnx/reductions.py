"""ONNX reduction operators."""

from collections.abc import Callable

from torch import Tensor

from straylight.models.readers.onnx.shapes import Ints, attribute_or_input


def _reduction_operator(function: Callable[[Tensor, Ints, bool], Tensor]) -> Callable[..., Tensor]:
    """Return an operator that applies a reduction along axes."""

    def reduced(
        x: Tensor,
        given: Tensor | None = None,
        *,
        axes: Ints | None = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Tensor:
        along = attribute_or_input(axes, given) or []
        if not along and noop_with_empty_axes:
            return x
        every = tuple(axis % max(1, x.ndim) for axis in along) or tuple(range(x.ndim))
        return function(x, every, bool(keepdims))

    return reduced


def _product_over_axes(x: Tensor, axes: Ints, keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "ReduceMean": _reduction_operator(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceSum": _reduction_operator(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "ReduceMax": _reduction_operator(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMin": _reduction_operator(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "ReduceProd": _reduction_operator(_product_over_axes),
    "ReduceL1": _reduction_operator(lambda x, axes, keep: x.abs().sum(axes, keepdim=keep)),
    "ReduceL2": _reduction_operator(
        lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt()
    ),
    "ReduceSumSquare": _reduction_operator(
        lambda x, axes, keep: x.square().sum(axes, keepdim=keep)
    ),
    "ReduceLogSumExp": _reduction_operator(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep)),
}
