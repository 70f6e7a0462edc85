"""Check a node: its operator is listed, and its attributes fit the operator's function."""

import inspect
import typing
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from straylight.core.errors import quote_text
from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.model import AttributeValue, OnnxNode
from straylight.models.readers.onnx.network import OPERATORS

QUANTISED = ("Quantize", "Dequantize", "QLinear", "MatMulInteger", "ConvInteger", "DynamicQuant")


def operator_function(operator: str) -> Callable[..., Any]:
    """Return the function of an operator.

    Raises:
        UnsupportedModelError: If there is none.
    """
    if operator.startswith(QUANTISED):
        raise UnsupportedModelError(
            f"is quantised ({quote_text(operator, 40)}), and rounding has no gradients: give the model "
            "from before quantisation"
        )
    if operator not in OPERATORS:
        raise UnsupportedModelError(
            f"uses {quote_text(operator, 40)}, which is not a supported operator"
        )
    return OPERATORS[operator]


@cache
def _keyword_parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, bool]]:
    """Return a function's keyword-only parameters: their types, and whether they are required."""
    hints = typing.get_type_hints(function)
    return {
        name: (hints[name], parameter.default is parameter.empty)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def node_keywords(function: Callable[..., Any], node: OnnxNode, opset: int) -> dict[str, Any]:
    """Return a node's attributes as keyword arguments of its function.

    Raises:
        UnsupportedModelError: If one is unknown, of another type, or missing.
    """
    taken = _keyword_parameters(function)
    given: dict[str, AttributeValue] = dict(node.attributes)
    given |= {"opset": opset} if "opset" in taken else {}
    given |= {"outputs": len(node.outputs)} if "outputs" in taken else {}
    for name, value in given.items():
        if name not in taken or not _fits_type(value, taken[name][0]):
            raise UnsupportedModelError(
                f"has a {node.operator} with an attribute {quote_text(name, 40)!r}"
            )
    missing = [name for name, (_, must) in taken.items() if must and name not in given]
    if missing:
        raise UnsupportedModelError(f"has a {node.operator} without {missing[0]}")
    return given


def _fits_type(value: AttributeValue, hint: object) -> bool:
    """Return whether an attribute has a type: a number, a string, a tensor, or integers."""
    for kind in typing.get_args(hint) if hint not in (int, float, str, Tensor) else (hint,):
        if kind in (int, float, str, Tensor) and isinstance(value, kind):
            return True
        if typing.get_origin(kind) is tuple and isinstance(value, tuple):
            return len(value) <= 64 and all(isinstance(n, int) for n in value)
    if typing.get_origin(hint) is tuple and isinstance(value, tuple):
        return len(value) <= 64 and all(isinstance(n, int) for n in value)
    return False


def check_float32(node: OnnxNode, inputs: Sequence[Tensor | None]) -> None:
    """Raise if a node computes in another precision than float32 (weights may be cast to float32)."""
    others = {v.dtype for v in inputs if v is not None and v.is_floating_point()} - {torch.float32}
    if others and not node.operator.startswith("Cast"):
        name = str(others.pop()).removeprefix("torch.")
        raise UnsupportedModelError(f"computes in {name}: give it in float32")
