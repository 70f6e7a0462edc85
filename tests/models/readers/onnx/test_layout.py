"""ONNX graphs that take channels last."""

from pathlib import Path
from typing import Any

import pytest

from onnx_reference import assert_like_reference
from onnxes import SIDE, Nodes, classifier


@pytest.mark.parametrize("shape", [("n", SIDE, SIDE, 3), ("n", "h", "w", "c")])
def test_channels_last(shape: tuple[Any, ...], tmp_path: Path) -> None:
    turn: Nodes = [("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]})]
    assert_like_reference(classifier("t", turn, shape=shape), tmp_path / "m.onnx", nhwc=True)
