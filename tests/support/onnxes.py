"""ONNX files made node by node, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 12
Nodes = list[tuple[str, list[str], list[str], dict[str, Any]]]


def model(
    nodes: Nodes,
    *,
    shape: tuple[Any, ...] = ("n", 3, SIDE, SIDE),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("y",),
    **constants: NDArray[Any] | np.generic,
) -> onnx.ModelProto:
    """Make a model from `x` to `y`; constants are arrays by name."""
    graph = helper.make_graph(
        [helper.make_node(o, i, out, **attributes) for o, i, out, attributes in nodes],
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8 if opset < 19 else 10
    return made


def noise(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Return small numbers, the same for a seed."""
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


HEAD: Nodes = [
    ("Relu", ["c"], ["r"], {}),
    ("GlobalAveragePool", ["r"], ["p"], {}),
    ("Flatten", ["p"], ["f"], {}),
    ("Gemm", ["f", "fw", "fb"], ["y"], {"transB": 1}),
]
WEIGHTS = {"w": noise(4, 3, 3, 3), "fw": noise(2, 4, seed=1), "fb": noise(2, seed=2)}


def classifier(image: str = "x", before: Nodes | None = None, **changes: Any) -> onnx.ModelProto:  # noqa: ANN401 (what `model` takes)
    """Make a convolution and a linear head."""
    attributes = changes.pop("conv", {"pads": [1, 1, 1, 1]})
    conv: Nodes = [("Conv", [image, "w"], ["c"], attributes)]
    return model([*(before or []), *conv, *HEAD], **{**WEIGHTS, **changes})


def save(made: onnx.ModelProto, path: Path) -> Path:
    """Write a model."""
    path.write_bytes(made.SerializeToString())
    return path
