"""Each ONNX operator against ONNX's own evaluator, and the digest of a graph."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_reference import OPTIONS, assert_like_reference, ints
from onnxes import Nodes, classifier, model, noise, save
from straylight.models.load import load_model

SINGLE: dict[str, tuple[str, list[str], dict[str, Any], dict[str, Any], int]] = {
    "conv-groups": (
        "Conv",
        ["x", "w"],
        {"group": 3, "pads": [0, 1, 2, 1]},
        {"w": noise(6, 1, 3, 3)},
        17,
    ),
    "max-uneven": (
        "MaxPool",
        ["x"],
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]},
        {},
        17,
    ),
    "average": ("AveragePool", ["x"], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, {}, 17),
    "average-uneven": (
        "AveragePool",
        ["x"],
        {"kernel_shape": [3, 3], "pads": [0, 0, 1, 1]},
        {},
        17,
    ),
    "softmax": ("Softmax", ["x"], {}, {}, 13),
    "gelu": ("Gelu", ["x"], {"approximate": "tanh"}, {}, 20),
    "clip": ("Clip", ["x", "", "b"], {}, {"b": np.float32(0.5)}, 17),
    "selu": ("Selu", ["x"], {}, {}, 17),
    "hard-sigmoid": ("HardSigmoid", ["x"], {}, {}, 17),
    "layer-norm": ("LayerNormalization", ["x", "s", "b"], {}, {"s": noise(12), "b": noise(12)}, 17),
    "instance-norm": (
        "InstanceNormalization",
        ["x", "s", "b"],
        {},
        {"s": noise(3), "b": noise(3)},
        17,
    ),
    "slice-backwards": (
        "Slice",
        ["x", "s", "e", "a", "d"],
        {},
        {"s": ints(-1), "e": ints(-(2**63)), "a": ints(3), "d": ints(-1)},
        17,
    ),
    "gather": ("Gather", ["x", "k"], {"axis": 2}, {"k": np.array([[0, -1], [3, 3]])}, 17),
    "pad": ("Pad", ["x", "p"], {"mode": "reflect"}, {"p": ints(0, 0, 1, 2, 0, 0, 2, 1)}, 17),
    "pad-axes": (
        "Pad",
        ["x", "p", "v", "a"],
        {},
        {"p": ints(1, 2, 3, 4), "v": np.float32(0.5), "a": ints(2, -1)},
        18,
    ),
    "reduce": ("ReduceMean", ["x", "a"], {"keepdims": 0}, {"a": ints(2, 3)}, 18),
    "reduce-l2": ("ReduceL2", ["x"], {"axes": [1]}, {}, 13),
    "expand": ("Expand", ["x", "s"], {}, {"s": ints(2, 1, 3, 1, 1)}, 17),
    "depth-to-space": ("SpaceToDepth", ["x"], {"blocksize": 3}, {}, 17),
    "einsum": ("Einsum", ["x", "w"], {"equation": "nchw,cd->ndhw"}, {"w": noise(3, 5)}, 17),
    "resize": (
        "Resize",
        ["x", "", "s"],
        {"mode": "linear"},
        {"s": np.array([1, 1, 2, 2], np.float32)},
        17,
    ),
}


@pytest.mark.parametrize("name", SINGLE)
def test_each_operator_is_as_in_the_reference(name: str, tmp_path: Path) -> None:
    operator, inputs, attributes, constants, opset = SINGLE[name]
    nodes: Nodes = [(operator, inputs, ["t"], attributes), ("Flatten", ["t"], ["y"], {})]
    if name == "expand":  # the rows come first again
        nodes[1:] = [
            ("Transpose", ["t"], ["u"], {"perm": [1, 0, 2, 3, 4]}),
            ("Flatten", ["u"], ["y"], {}),
        ]
    assert_like_reference(model(nodes, opset=opset, **constants), tmp_path / "m.onnx")


def test_two_graphs_with_the_same_weights_have_other_digests(tmp_path: Path) -> None:
    digests = {
        load_model(save(classifier(conv=conv), tmp_path / "m.onnx"), OPTIONS).sha256
        for conv in ({"pads": [1, 1, 1, 1]}, {"pads": [0, 0, 0, 0]}, {"auto_pad": "SAME_LOWER"})
    }
    assert len(digests) == 3
