"""The border of a node: an operator of the list, with the attributes of its function."""

import inspect
import typing
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from straylight.core.errors import quoted
from straylight.models.readers.export_checks import Refused
from straylight.models.readers.onnx.model import Attribute, Node
from straylight.models.readers.onnx.network import OPERATORS

QUANTISED = ("Quantize", "Dequantize", "QLinear", "MatMulInteger", "ConvInteger", "DynamicQuant")


def function_of(operator: str) -> Callable[..., Any]:
    """Return the function of an operator.

    Raises:
        Refused: If there is none.
    """
    if operator.startswith(QUANTISED):
        raise Refused(
            f"is quantised ({quoted(operator, 40)}), and rounding has no gradients: give the model "
            "from before its quantisation"
        )
    if operator not in OPERATORS:
        raise Refused(f"uses {quoted(operator, 40)}, which is not an operator that is read here")
    return OPERATORS[operator]


@cache
def parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, bool]]:
    """Return the keywords of a function: their types, and whether they must be given."""
    hints = typing.get_type_hints(function)
    return {
        name: (hints[name], parameter.default is parameter.empty)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def keywords_of(function: Callable[..., Any], node: Node, opset: int) -> dict[str, Any]:
    """Return a node's attributes as the keywords of its function.

    Raises:
        Refused: If it has others, of other types, or too few.
    """
    taken = parameters(function)
    given: dict[str, Attribute] = dict(node.attributes)
    given |= {"opset": opset} if "opset" in taken else {}
    given |= {"outputs": len(node.outputs)} if "outputs" in taken else {}
    for name, value in given.items():
        if name not in taken or not fits(value, taken[name][0]):
            raise Refused(f"has a {node.operator} with an attribute {quoted(name, 40)!r}")
    missing = [name for name, (_, must) in taken.items() if must and name not in given]
    if missing:
        raise Refused(f"has a {node.operator} without {missing[0]}")
    return given


def fits(value: Attribute, hint: object) -> bool:
    """Check an attribute against a type: a number, a text, a tensor, or whole numbers."""
    for kind in typing.get_args(hint) if hint not in (int, float, str, Tensor) else (hint,):
        if kind in (int, float, str, Tensor) and isinstance(value, kind):
            return True
        if typing.get_origin(kind) is tuple and isinstance(value, tuple):
            return len(value) <= 64 and all(isinstance(n, int) for n in value)
    if typing.get_origin(hint) is tuple and isinstance(value, tuple):
        return len(value) <= 64 and all(isinstance(n, int) for n in value)
    return False


def check_numbers(node: Node, inputs: Sequence[Tensor | None]) -> None:
    """Raise if a node computes in another precision than float32 (weights may be cast to it)."""
    others = {v.dtype for v in inputs if v is not None and v.is_floating_point()} - {torch.float32}
    if others and not node.operator.startswith("Cast"):
        name = str(others.pop()).removeprefix("torch.")
        raise Refused(f"computes in {name}: give it in float32")
