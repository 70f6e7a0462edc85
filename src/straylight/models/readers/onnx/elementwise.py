"""Elementwise ONNX operators and matrix products, as functions `onnx_OPERATOR` of torch tensors.

Each function takes the inputs of its node by position and its attributes by keyword; other attributes are
refused.
"""

import re
from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from straylight.models.readers.network import UnsupportedModelError

# Target types of Cast. Half and double precision are refused where they meet an image.
CASTS = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
}


def onnx_cast(x: Tensor, *, to: int, saturate: int = 1) -> Tensor:
    if to not in CASTS:
        raise UnsupportedModelError("casts to a type that cannot be computed in float32")
    return x.to(CASTS[to])


def onnx_cast_like(x: Tensor, like: Tensor, *, saturate: int = 1) -> Tensor:
    return x.to(like.dtype)


def onnx_div(a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point():
        return a / b
    # The smallest integer divided by -1 crashes the process.
    quotient = torch.div(a, torch.where(b == -1, 1, b), rounding_mode="trunc")
    return torch.where(b == -1, -a, quotient)


def onnx_mod(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    if not a.is_floating_point():
        b = torch.where(b == -1, 1, b)  # the same remainder, 0; see `onnx_div`
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


def onnx_pow(a: Tensor, b: Tensor) -> Tensor:
    return torch.pow(a, b).to(a.dtype)


def onnx_clip(
    x: Tensor,
    least: Tensor | None = None,
    most: Tensor | None = None,
    *,
    min: float | None = None,
    max: float | None = None,
) -> Tensor:
    lower = x.new_tensor(min) if min is not None else least
    upper = x.new_tensor(max) if max is not None else most
    return x if lower is None and upper is None else torch.clamp(x, lower, upper)


def onnx_leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    return F.leaky_relu(x, alpha)


def onnx_elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.elu(x, alpha)


def onnx_celu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.celu(x, alpha)


def onnx_selu(
    x: Tensor, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Tensor:
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


def onnx_prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, slope * x)


def onnx_hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    return (alpha * x + beta).clamp(0, 1)


def onnx_swish(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return x * torch.sigmoid(alpha * x)


def onnx_thresholded_relu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return torch.where(x > alpha, x, torch.zeros_like(x))


def onnx_gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    return F.gelu(x, approximate=approximate)


def _softmax_input(x: Tensor, axis: int | None, opset: int) -> tuple[Tensor, int]:
    """Return the input and axis of a softmax: before opset 13, all axes from `axis` on are flattened."""
    if opset >= 13:
        return x, -1 if axis is None else axis
    axis = (1 if axis is None else axis) % max(1, x.ndim)
    return x.flatten(axis) if x.ndim > axis + 1 else x, axis


def onnx_softmax(x: Tensor, *, axis: int | None = None, opset: int) -> Tensor:
    flat, along = _softmax_input(x, axis, opset)
    return flat.softmax(along).reshape(x.shape)


def onnx_log_softmax(x: Tensor, *, axis: int | None = None, opset: int) -> Tensor:
    flat, along = _softmax_input(x, axis, opset)
    return flat.log_softmax(along).reshape(x.shape)


def onnx_dropout(
    x: Tensor,
    _: Tensor | None = None,
    training: Tensor | None = None,
    *,
    ratio: float = 0.5,
    seed: int = 0,
) -> Tensor:
    if training is not None and bool(training):
        raise UnsupportedModelError("was exported in training mode (call network.eval() first)")
    return x


def onnx_where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition, a, b)


def onnx_gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Tensor:
    left, right = a.t() if transA else a, b.t() if transB else b
    product = left @ right
    product = product if alpha == 1 else alpha * product
    return product if c is None else product + (c if beta == 1 else beta * c)


def onnx_einsum(*factors: Tensor, equation: str) -> Tensor:
    if not re.fullmatch(r"[A-Za-z., >-]{1,200}", equation) or len(factors) > 2:
        raise UnsupportedModelError("has an Einsum that is not a plain product")
    return torch.einsum(equation.replace(" ", ""), *factors)


def _variadic_operator(combine: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return an operator with any number of inputs."""

    def combined(*values: Tensor) -> Tensor:
        return reduce(combine, values)

    return combined


def onnx_mean(*values: Tensor) -> Tensor:
    return reduce(torch.add, values) / len(values)


def _unary_operator(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return an operator with one input and no attributes."""

    def applied(x: Tensor) -> Tensor:
        return function(x)

    return applied


def _binary_operator(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return an operator with two inputs and no attributes."""

    def applied(a: Tensor, b: Tensor) -> Tensor:
        return function(a, b)

    return applied


ELEMENTWISE: dict[str, Callable[..., Tensor]] = {
    **{
        name: _unary_operator(getattr(torch, name.lower()))
        for name in ("Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Neg")
    },
    **{
        name: _unary_operator(getattr(torch, name.lower()))
        for name in ("Abs", "Sign", "Floor", "Ceil", "Round", "Sin", "Cos")
    },
    "Not": _unary_operator(torch.logical_not),
    "Identity": _unary_operator(lambda x: x),
    "Softplus": _unary_operator(F.softplus),
    "Softsign": _unary_operator(F.softsign),
    "HardSwish": _unary_operator(F.hardswish),
    "Mish": _unary_operator(F.mish),
    "Add": _binary_operator(torch.add),
    "Sub": _binary_operator(torch.sub),
    "Mul": _binary_operator(torch.mul),
    "Div": onnx_div,
    "Mod": onnx_mod,
    "Pow": onnx_pow,
    "Equal": _binary_operator(torch.eq),
    "Greater": _binary_operator(torch.gt),
    "GreaterOrEqual": _binary_operator(torch.ge),
    "Less": _binary_operator(torch.lt),
    "LessOrEqual": _binary_operator(torch.le),
    "And": _binary_operator(torch.logical_and),
    "Or": _binary_operator(torch.logical_or),
    "Xor": _binary_operator(torch.logical_xor),
    "Max": _variadic_operator(torch.maximum),
    "Min": _variadic_operator(torch.minimum),
    "Sum": _variadic_operator(torch.add),
    "Mean": onnx_mean,
    "Where": onnx_where,
    "Cast": onnx_cast,
    "CastLike": onnx_cast_like,
    "Clip": onnx_clip,
    "LeakyRelu": onnx_leaky_relu,
    "Elu": onnx_elu,
    "Celu": onnx_celu,
    "Selu": onnx_selu,
    "PRelu": onnx_prelu,
    "HardSigmoid": onnx_hard_sigmoid,
    "Swish": onnx_swish,
    "ThresholdedRelu": onnx_thresholded_relu,
    "Gelu": onnx_gelu,
    "Softmax": onnx_softmax,
    "LogSoftmax": onnx_log_softmax,
    "Dropout": onnx_dropout,
    "MatMul": _binary_operator(torch.matmul),
    "Gemm": onnx_gemm,
    "Einsum": onnx_einsum,
}
