"""Operators of ONNX number by number, and products of matrices, as functions of torch.

Each function takes the inputs of its node by position and its attributes by keyword: what it does not
name is refused.
"""

import re
from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from straylight.models.readers.export_checks import Refused

# What Cast may give. Half and double precision are refused wherever they meet an image.
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


def cast(x: Tensor, *, to: int, saturate: int = 1) -> Tensor:
    if to not in CASTS:
        raise Refused("casts to numbers that do not compute in float32")
    return x.to(CASTS[to])


def cast_like(x: Tensor, like: Tensor, *, saturate: int = 1) -> Tensor:
    return x.to(like.dtype)


def divide(a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point():
        return a / b
    # The least whole number divided by -1 ends the process.
    quotient = torch.div(a, torch.where(b == -1, 1, b), rounding_mode="trunc")
    return torch.where(b == -1, -a, quotient)


def modulo(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    if not a.is_floating_point():
        b = torch.where(b == -1, 1, b)  # the same remainder, 0; see `divide`
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


def power(a: Tensor, b: Tensor) -> Tensor:
    return torch.pow(a, b).to(a.dtype)


def clip(
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


def leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    return F.leaky_relu(x, alpha)


def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.elu(x, alpha)


def celu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.celu(x, alpha)


def selu(
    x: Tensor, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Tensor:
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, slope * x)


def hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    return (alpha * x + beta).clamp(0, 1)


def swish(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return x * torch.sigmoid(alpha * x)


def thresholded_relu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return torch.where(x > alpha, x, torch.zeros_like(x))


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    return F.gelu(x, approximate=approximate)


def flat_or_along(x: Tensor, axis: int | None, opset: int) -> tuple[Tensor, int]:
    """Return what a softmax is taken of, and along which axis: before version 13 of all axes behind."""
    if opset >= 13:
        return x, -1 if axis is None else axis
    axis = (1 if axis is None else axis) % max(1, x.ndim)
    return x.flatten(axis) if x.ndim > axis + 1 else x, axis


def softmax(x: Tensor, *, axis: int | None = None, opset: int) -> Tensor:
    flat, along = flat_or_along(x, axis, opset)
    return flat.softmax(along).reshape(x.shape)


def log_softmax(x: Tensor, *, axis: int | None = None, opset: int) -> Tensor:
    flat, along = flat_or_along(x, axis, opset)
    return flat.log_softmax(along).reshape(x.shape)


def dropout(
    x: Tensor,
    _: Tensor | None = None,
    training: Tensor | None = None,
    *,
    ratio: float = 0.5,
    seed: int = 0,
) -> Tensor:
    if training is not None and bool(training):
        raise Refused("was exported in training mode (call network.eval() first)")
    return x


def where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition, a, b)


def gemm(
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


def einsum(*factors: Tensor, equation: str) -> Tensor:
    if not re.fullmatch(r"[A-Za-z., >-]{1,200}", equation) or len(factors) > 2:
        raise Refused("has an Einsum that is not a plain product")
    return torch.einsum(equation.replace(" ", ""), *factors)


def many(combine: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return an operator of any number of inputs."""

    def combined(*values: Tensor) -> Tensor:
        return reduce(combine, values)

    return combined


def mean(*values: Tensor) -> Tensor:
    return reduce(torch.add, values) / len(values)


def one(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return an operator of one input without attributes."""

    def applied(x: Tensor) -> Tensor:
        return function(x)

    return applied


def two(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return an operator of two inputs without attributes."""

    def applied(a: Tensor, b: Tensor) -> Tensor:
        return function(a, b)

    return applied


ELEMENTWISE: dict[str, Callable[..., Tensor]] = {
    **{
        name: one(getattr(torch, name.lower()))
        for name in ("Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Neg")
    },
    **{
        name: one(getattr(torch, name.lower()))
        for name in ("Abs", "Sign", "Floor", "Ceil", "Round", "Sin", "Cos")
    },
    "Not": one(torch.logical_not),
    "Identity": one(lambda x: x),
    "Softplus": one(F.softplus),
    "Softsign": one(F.softsign),
    "HardSwish": one(F.hardswish),
    "Mish": one(F.mish),
    "Add": two(torch.add),
    "Sub": two(torch.sub),
    "Mul": two(torch.mul),
    "Div": divide,
    "Mod": modulo,
    "Pow": power,
    "Equal": two(torch.eq),
    "Greater": two(torch.gt),
    "GreaterOrEqual": two(torch.ge),
    "Less": two(torch.lt),
    "LessOrEqual": two(torch.le),
    "And": two(torch.logical_and),
    "Or": two(torch.logical_or),
    "Xor": two(torch.logical_xor),
    "Max": many(torch.maximum),
    "Min": many(torch.minimum),
    "Sum": many(torch.add),
    "Mean": mean,
    "Where": where,
    "Cast": cast,
    "CastLike": cast_like,
    "Clip": clip,
    "LeakyRelu": leaky_relu,
    "Elu": elu,
    "Celu": celu,
    "Selu": selu,
    "PRelu": prelu,
    "HardSigmoid": hard_sigmoid,
    "Swish": swish,
    "ThresholdedRelu": thresholded_relu,
    "Gelu": gelu,
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
    "Dropout": dropout,
    "MatMul": two(torch.matmul),
    "Gemm": gemm,
    "Einsum": einsum,
}
