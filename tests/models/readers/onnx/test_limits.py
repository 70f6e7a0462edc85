"""ONNX graphs that cost too much."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_loading import logits
from onnx_reference import OPTIONS, ints
from onnxes import Nodes, model, noise, save
from straylight.core.errors import InputError
from straylight.models.readers.onnx.reader import read_onnx


def test_what_costs_more_than_its_size_is_refused(tmp_path: Path) -> None:
    big = ints(2**20, 2**20)
    one = {"s": ints(1, 3, 2**20, 2**20)}
    cases: list[tuple[Nodes, dict[str, Any]]] = [
        ([("ConstantOfShape", ["s"], ["k"], {}), ("MatMul", ["x", "k"], ["y"], {})], {"s": big}),
        ([("Expand", ["x", "s"], ["y"], {})], {"s": ints(2**40, 1, 1, 1, 1)}),
        ([("Tile", ["x", "s"], ["y"], {})], {"s": ints(1, 1, 2**20, 2**20)}),
        ([("Pad", ["x", "s"], ["y"], {})], {"s": ints(0, 0, 0, 0, 0, 0, 2**30, 2**30)}),
        ([("Resize", ["x", "", "", "s"], ["y"], {"mode": "linear"})], one),
        ([("AveragePool", ["x"], ["y"], {"kernel_shape": [1, 1], "pads": [2**30] * 4})], {}),
        (
            [("Range", ["a", "b", "c"], ["k"], {}), ("Add", ["x", "k"], ["y"], {})],
            {"a": np.int64(0), "b": np.int64(2**50), "c": np.int64(1)},
        ),
        ([("Einsum", ["x", "x"], ["y"], {"equation": "abcd,efgh->abcdefgh"})], {}),
        (
            [("Conv", ["x", "w"], [f"v{n}"] if n else ["v0"], {}) for n in range(1)]
            + [("Softmax", [f"v{n}"], [f"v{n + 1}"], {}) for n in range(9_000)]
            + [("Flatten", ["v9000"], ["y"], {})],
            {"w": noise(4096, 3, 1, 1)},
        ),
    ]
    for nodes, constants in cases:
        path = save(model(nodes, **constants), tmp_path / "m.onnx")
        with pytest.raises(
            InputError, match=r"too large|far longer|cannot take|not of height|fails|a row for each"
        ):
            read_onnx(str(path), OPTIONS)


def test_a_long_chain_that_shares_its_weights_is_refused(tmp_path: Path) -> None:
    chain: Nodes = [("Conv", [f"v{n}" if n else "x", "w"], [f"v{n + 1}"], {}) for n in range(3000)]
    made = model([*chain, ("Flatten", ["v3000"], ["y"], {})], w=np.ones((3, 3, 1, 1), np.float32))
    with pytest.raises(InputError, match="far longer than a network of its size"):
        logits(made, tmp_path / "m.onnx")
