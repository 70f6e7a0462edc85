"""Attributes of ONNX nodes against the parameters of their functions."""

import pytest
import torch

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.attributes import (
    check_float32,
    node_keywords,
    operator_function,
)
from straylight.models.readers.onnx.model import AttributeValue, OnnxNode


def node(operator: str, **attributes: AttributeValue) -> OnnxNode:
    return OnnxNode(operator, (0,), (1, 2), attributes)


def test_attributes_are_the_keywords_of_the_function() -> None:
    split, softmax = operator_function("Split"), operator_function("Softmax")
    assert node_keywords(split, node("Split", axis=1), 13) == {"axis": 1, "outputs": 2}
    assert node_keywords(softmax, node("Softmax"), 11) == {"opset": 11}


def test_other_attributes_are_refused() -> None:
    concat = operator_function("Concat")
    for attributes in ({"axis": 1.0}, {"axis": 0, "more": 1}, {"axis": (1,)}):
        with pytest.raises(UnsupportedModelError, match="has a Concat with an attribute"):
            node_keywords(concat, node("Concat", **attributes), 13)
    with pytest.raises(UnsupportedModelError, match="has a Concat without axis"):
        node_keywords(concat, node("Concat"), 13)


def test_operators_that_are_not_listed_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"is quantised \(QuantizeLinear"):
        operator_function("QuantizeLinear")
    with pytest.raises(UnsupportedModelError, match="uses NonZero, which is not a supported"):
        operator_function("NonZero")


def test_only_a_cast_may_take_half_precision() -> None:
    half = torch.zeros(1, dtype=torch.float16)
    check_float32(node("Cast"), [half])
    check_float32(node("Add"), [torch.zeros(1), None, torch.zeros(1, dtype=torch.int64)])
    with pytest.raises(UnsupportedModelError, match="computes in float16"):
        check_float32(node("Add"), [torch.zeros(1), half])
