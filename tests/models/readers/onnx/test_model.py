"""ONNX constants of newer opsets."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from onnx_loading import logits
from onnxes import HEAD, WEIGHTS, Nodes, classifier, model


@pytest.mark.parametrize("opset", [13, 17, 19, 20, 21, 23])
def test_case_12_constants_of_newer_opsets(opset: int, tmp_path: Path) -> None:
    sides = onnx.numpy_helper.from_array(np.array([-1, 4]))
    nodes: Nodes = [
        ("Conv", ["x", "w"], ["c"], {"pads": [1, 1, 1, 1]}),
        *HEAD[:2],
        ("Constant", [], ["s"], {"value": sides}),
        ("Reshape", ["p", "s"], ["f"], {}),
        HEAD[3],
    ]
    found = logits(model(nodes, opset=opset, **WEIGHTS), tmp_path / "m.onnx")
    assert torch.equal(found, logits(classifier(), tmp_path / "n.onnx"))
