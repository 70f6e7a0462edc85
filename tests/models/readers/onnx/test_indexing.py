"""ONNX indexing operators in special cases."""

from pathlib import Path

import numpy as np
import torch

from onnx_loading import LOADED_IMAGES, logits
from onnxes import SIDE, Nodes, model


def test_a_scalar_gathered_of_a_row_of_numbers(tmp_path: Path) -> None:
    """As exporters write `x.shape[1]`: 12 for these images."""
    nodes: Nodes = [
        ("Shape", ["x"], ["s"], {}),
        ("Gather", ["s", "i"], ["n"], {"axis": 0}),
        ("Cast", ["n"], ["k"], {"to": 1}),
        ("Mul", ["x", "k"], ["t"], {}),
        ("Flatten", ["t"], ["f"], {}),
        ("MatMul", ["f", "v"], ["y"], {}),
    ]
    v = np.eye(3 * SIDE**2, 2, dtype=np.float32)
    found = logits(model(nodes, i=np.int64(2), v=v), tmp_path / "m.onnx")
    assert torch.allclose(found, ((LOADED_IMAGES - 0.5) / 0.5).flatten(1)[:, :2] * SIDE)


def test_sums_and_scattered_numbers(tmp_path: Path) -> None:
    nodes: Nodes = [
        ("Flatten", ["x"], ["f"], {}),
        ("Transpose", ["f"], ["r"], {}),
        ("ScatterND", ["r", "i", "u"], ["s"], {}),
        ("Transpose", ["s"], ["t"], {}),
        ("CumSum", ["t", "one"], ["c"], {"reverse": 1, "exclusive": 1}),
        ("MatMul", ["c", "v"], ["y"], {}),
    ]
    v = np.eye(3 * SIDE**2, 2, dtype=np.float32)
    made = model(nodes, i=np.array([[5]]), u=np.full((1, 1), 7, np.float32), one=np.int64(1), v=v)
    found = logits(made, tmp_path / "m.onnx")
    flat = ((LOADED_IMAGES - 0.5) / 0.5).flatten(1)
    flat[:, 5] = 7
    behind = torch.stack([flat[:, 1:].sum(1), flat[:, 2:].sum(1)], 1)
    assert torch.allclose(found, behind, atol=1e-3)
