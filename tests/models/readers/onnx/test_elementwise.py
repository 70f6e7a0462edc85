"""Elementwise ONNX operators in special cases."""

from pathlib import Path

import torch

from onnx_reference import IMAGES, OPTIONS, ints
from onnxes import Nodes, model, save
from straylight.models.readers.onnx.reader import read_onnx


def test_softmax_before_version_13_is_of_all_axes_behind(tmp_path: Path) -> None:
    nodes: Nodes = [("Softmax", ["x"], ["t"], {}), ("Flatten", ["t"], ["y"], {})]
    path = save(model(nodes, opset=11), tmp_path / "m.onnx")
    found = read_onnx(str(path), OPTIONS).network(IMAGES)
    torch.testing.assert_close(found, IMAGES.flatten(1).softmax(1))


def test_the_least_number_divided_by_minus_one_ends_nothing(tmp_path: Path) -> None:
    for operator in ("Div", "Mod"):
        nodes: Nodes = [
            (operator, ["a", "b"], ["q"], {}),
            ("Cast", ["q"], ["k"], {"to": 1}),
            ("Mul", ["x", "k"], ["t"], {}),
            ("Flatten", ["t"], ["y"], {}),
        ]
        made = model(nodes, a=ints(-(2**63)), b=ints(-1))
        assert read_onnx(str(save(made, tmp_path / "m.onnx")), OPTIONS).network(IMAGES).shape == (
            2,
            432,
        )
