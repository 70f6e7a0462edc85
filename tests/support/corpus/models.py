"""Weights, model cards and ONNX files."""

import json
import struct
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from corpus import Case, damaged
from corpus.arrays import MARKER

WEIGHTS = {"0.weight": torch.arange(12.0).view(2, 6), "0.bias": torch.zeros(2)}
CARD: dict[str, Any] = {
    "schema": "straylight.model/1",
    "architecture": "test_resnet",
    "arguments": {},
    "shape": [3, 32, 32],
    "class_names": ["dark", "light"],
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "training": {},
}


def tensors(header: object, data: bytes = bytes(64), length: int | None = None) -> bytes:
    """A safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def claim(
    shape: list[object], kind: object = "F32", start: int = 0, end: int = 48
) -> dict[str, Any]:
    return {"0.weight": {"dtype": kind, "shape": shape, "data_offsets": [start, end]}}


def network(side: int = 8, out: int = 2) -> bytes:
    """A linear classifier in ONNX that says its input has this side."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.linspace(-1, 1, 3 * 8 * 8 * 2, dtype=np.float32).reshape(192, 2)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, out])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def strange_networks() -> dict[str, bytes]:
    """ONNX files that are well formed, and no classifier of these images."""
    good = network()
    return {
        "empty": b"",
        "text": b"no network",
        "pickle": b"\x80\x04\x95" + bytes(50),
        "operator": good.replace(b"MatMul", b"MatNul"),
        "name": good.replace(b"flat", b"f\x1bat", 1),
    }


def cases(rng: np.random.Generator) -> Iterator[Case]:
    yield from damaged("weights", "good.safetensors", save(WEIGHTS), rng)
    yield from damaged("cards", "good.json", json.dumps(CARD, indent=1).encode(), rng)
    yield from damaged("networks", "good.onnx", network(), rng)
    for name, data in strange_networks().items():
        yield Case(f"networks/{name}.onnx", data, "refused")
    for name, data in lying_weights().items():
        yield Case(f"weights/{name}.safetensors", data, "refused")
    for name, card in wrong_cards().items():
        yield Case(f"cards/{name}.json", json.dumps(card).encode(), "refused")
    texts = {
        "empty": b"",
        "null": b"null",
        "list": b"[1]",
        "number": b"7",
        "text": b'"x"',
        "deep": b"[" * 200_000,
        "deep-card": json.dumps(CARD).replace("{}", '{"a":' * 90_000 + "1" + "}" * 90_000).encode(),
        "digits": json.dumps(CARD).replace("32", "9" * 9_000).encode(),
        "nan": json.dumps(CARD).replace("0.5", "NaN").encode(),
        "infinite": json.dumps(CARD).replace("0.5", "1e999").encode(),
        "utf16": json.dumps(CARD).encode("utf-16"),
        "latin": json.dumps(CARD).replace("dark", "\xe4").encode("latin-1"),
        "pickle": b"\x80\x04\x95" + bytes(50),
    }
    for name, data in texts.items():
        yield Case(f"cards/text-{name}.json", data, "refused")


def lying_weights() -> dict[str, bytes]:
    good = save(WEIGHTS)
    return {
        "empty": b"",
        "length-most": tensors({}, length=2**63 - 1),
        "length-negative": tensors({}, length=2**64 - 1),
        "length-beyond": tensors({}, length=10_000),
        "header-none": tensors(b""),
        "header-list": tensors([1]),
        "header-deep": tensors(b"[" * 100_000),
        "header-binary": tensors(b"\x1b[31m\xff\0" * 50),
        "shape-beyond": tensors(claim([10**9, 10**9])),
        "shape-overflow": tensors(claim([2**62, 2**62])),
        "shape-negative": tensors(claim([-2, 6])),
        "shape-text": tensors(claim(["a"])),
        "offsets-beyond": tensors(claim([2, 6], end=10**12)),
        "offsets-swapped": tensors(claim([2, 6], start=48, end=0)),
        "kind-unknown": tensors(claim([2, 6], kind="Q99")),
        "kind-number": tensors(claim([2, 6], kind=7)),
        "left-over": good + bytes(100),
        "zip": b"PK\3\4" + bytes(100),
        "pickle": b"\x80\x04\x95" + bytes(100),
        "other-names": save({"x" * 5_000 + "\x1b[31m": torch.zeros(1)}),
        "other-shape": save(WEIGHTS | {"0.weight": torch.zeros(3, 6)}),
        "one-missing": save({"0.bias": torch.zeros(2)}),
        "complex": save(WEIGHTS | {"0.weight": torch.zeros(2, 6, dtype=torch.complex64)}),
        "nan": save(WEIGHTS | {"0.weight": torch.full((2, 6), torch.nan)}),
    }


def wrong_cards() -> dict[str, Any]:
    """The good card with one field that is wrong."""
    wrong: dict[str, list[Any]] = {
        "schema": [None, 1, "straylight.model/2", ["straylight.model/1"]],
        "architecture": [
            None,
            7,
            [],
            "",
            "nothing",
            "torchvision:nothing",
            "x" * 9_000,
            "hf-hub:a/b",
        ],
        "arguments": [None, 7, "x", [1], {"nothing": 1}],
        "shape": [
            None,
            7,
            "332",
            [],
            [3, 32],
            [2, 32, 32],
            [3, 0, 32],
            [3, -32, 32],
            [3, 10**9, 10**9],
        ],
        "class_names": [None, 7, "dark", [], [1, 2], ["a", "a"], [["a"]], ["dark"]],
        "mean": [None, 7, "0.5", [], [0.5, 0.5], ["a", "b", "c"], [[0.5]] * 3, [10**400] * 3],
        "std": [None, 7, [], [0.5, 0.5], [0, 0, 0], [-1, 1, 1], ["a", "b", "c"]],
        "training": [None, 7, "x", []],
    }
    wrong["shape"] += [[3.5, 32, 32], ["3", "32", "32"], [True, 32, 32], [3, 32, 32, 32]]
    # Files that timm would open, the last resort of them with pickle, or fetch.
    wrong["arguments"] += [
        {"checkpoint_path": f"{MARKER}.pth"},
        {"pretrained": True},
        {"pretrained_cfg": {"file": f"{MARKER}.pth"}, "pretrained": True},
        {"pretrained_cfg_overlay": {"file": f"{MARKER}.pth"}},
        {"cache_dir": "/tmp"},
        {"num_classes": 5},
        {"features_only": True},
        {"in_chans": 10**9},
    ]
    found: dict[str, Any] = {}
    for name, values in wrong.items():
        for number, value in enumerate(values):
            found[f"{name}-{number}"] = deepcopy(CARD) | {name: value}
        found[f"{name}-missing"] = {key: value for key, value in CARD.items() if key != name}
    return found | {"more": CARD | {"more": 1}}
