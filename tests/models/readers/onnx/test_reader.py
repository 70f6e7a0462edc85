"""ONNX files as classifiers: batch sizes, outputs, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from loading import NOISE, options
from onnx_loading import logits
from onnx_reference import OPTIONS
from onnxes import HEAD, SIDE, WEIGHTS, Nodes, classifier, model, save
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.readers.onnx.reader import read_onnx


def write_onnx(path: Path) -> nn.Module:
    """Write a small network by hand; return the same in torch."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    weights = {name: t.detach().numpy() for name, t in network.state_dict().items()}
    nodes = [
        helper.make_node(
            "Conv", ["x", "0.weight", "0.bias"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]
        ),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "4.weight", "4.bias"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in weights.items()
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )
    return network


def test_onnx_is_the_same_function_with_the_same_gradients(tmp_path: Path) -> None:
    network = write_onnx(tmp_path / "m.onnx")
    found = load_model(tmp_path / "m.onnx", options(head="logits"))
    grads = []
    for module in (network, found):
        images = NOISE.clone().requires_grad_()
        logits = module(images)
        grads.append((logits.detach(), *torch.autograd.grad(logits.square().sum(), images)))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_what_is_not_plain_is_refused_by_name(tmp_path: Path) -> None:
    flat: Nodes = [("Flatten", ["x"], ["y"], {})]
    body = helper.make_graph([], "b", [], [helper.make_tensor_value_info("x", 1, None)])
    custom = model(flat)
    custom.graph.node[0].domain = "com.evil"
    functions = model(flat)
    functions.functions.add(name="Flatten", domain="")
    half = model([("Mul", ["x", "k"], ["y"], {})], k=np.float16(1))
    cases = {
        "uses Flatten of com.evil": custom,
        "functions of its own": functions,
        "takes float16 numbers, not float32: give it in float32": model(
            flat, kind=TensorProto.FLOAT16
        ),
        "computes in float16": half,
        "a graph of its own in If": model(
            [("If", ["k"], ["y"], {"then_branch": body, "else_branch": body})], k=np.bool_(1)
        ),
        "contains string numbers": model(
            [("Add", ["x", "k"], ["y"], {})], k=np.array(["a"], object)
        ),
        "is quantised": model(
            [
                ("QuantizeLinear", ["x", "k"], ["q"], {}),
                ("DequantizeLinear", ["q", "k"], ["y"], {}),
            ],
            k=np.float32(1),
        ),
        "uses NonZero": model([("NonZero", ["x"], ["y"], {})]),
        "attribute 'evil'": model([("Flatten", ["x"], ["y"], {"evil": 1})]),
        "attribute 'axis'": model([("Flatten", ["x"], ["y"], {"axis": [1]})]),
        "training mode": model(
            [("Dropout", ["x", "r", "t"], ["d"], {}), ("Flatten", ["d"], ["y"], {})],
            r=np.float32(0.5),
            t=np.bool_(True),
        ),
        "shape depends on the content of the images": model(
            [("Cast", ["x"], ["k"], {"to": 7}), ("Reshape", ["x", "k"], ["y"], {})]
        ),
        "takes tensors of 3 dimensions": model(flat, shape=("n", 3, 12)),
        "takes images of 5 channels": model(flat, shape=("n", 5, 12, 12)),
        "takes images of 13 pixels a side, not 12": model(flat, shape=("n", 3, 13, 13)),
    }
    for message, made in cases.items():
        with pytest.raises(InputError, match=message) as refused:
            read_onnx(str(save(made, tmp_path / "m.onnx")), OPTIONS)
        assert len(str(refused.value).replace(str(tmp_path), "")) < 400


def test_case_13_channels_last_same_and_quantised(tmp_path: Path) -> None:
    turn: Nodes = [("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]})]
    nhwc = classifier("t", turn, shape=("n", SIDE, SIDE, 3))
    nchw = logits(classifier(), tmp_path / "n.onnx")
    assert torch.equal(logits(nhwc, tmp_path / "m.onnx"), nchw)
    same = classifier(conv={"auto_pad": "SAME_UPPER"})
    assert torch.equal(logits(same, tmp_path / "m.onnx"), nchw)
    quantised: Nodes = [
        ("QuantizeLinear", ["x", "k"], ["q"], {}),
        ("DequantizeLinear", ["q", "k"], ["d"], {}),
    ]
    with pytest.raises(InputError, match=r"is quantised .* no gradients"):
        logits(classifier("d", quantised, k=np.float32(0.1)), tmp_path / "m.onnx")


def test_case_14_two_outputs(tmp_path: Path) -> None:
    nodes: Nodes = [("Conv", ["x", "w"], ["c"], {"pads": [1, 1, 1, 1]}), *HEAD]
    alone = logits(model(nodes, **WEIGHTS), tmp_path / "m.onnx")
    features = model(nodes, outputs=("r", "f", "y"), **WEIGHTS)
    assert torch.equal(logits(features, tmp_path / "m.onnx"), alone)
    soft = model([*nodes, ("Softmax", ["y"], ["s"], {})], outputs=("s", "y"), **WEIGHTS)
    assert torch.equal(logits(soft, tmp_path / "m.onnx"), alone)
    two = model([*nodes, ("Neg", ["y"], ["z"], {})], outputs=("y", "z"), **WEIGHTS)
    with pytest.raises(InputError, match=r"2 outputs that may be .*extract_model"):
        logits(two, tmp_path / "m.onnx")


def test_case_23_half_precision(tmp_path: Path) -> None:
    half = model([("Flatten", ["x"], ["y"], {})], kind=TensorProto.FLOAT16)
    with pytest.raises(InputError, match="float16 numbers, not float32: give it in float32"):
        logits(half, tmp_path / "m.onnx")


def test_hostile_1_no_name_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = 'x", None) or __import__("pathlib").Path("executed").touch() or getattr(self, "q'
    plain = logits(classifier(), tmp_path / "n.onnx")
    made = classifier()
    names = ["c", "r", "p", "f", "w", "x", "y"]
    text = {name: f"{code}{number}" for number, name in enumerate(names)}
    for node in made.graph.node:
        node.name = node.doc_string = code
        for place in (node.input, node.output):
            place[:] = [text.get(name, name) for name in place]
    for item in (*made.graph.initializer, *made.graph.input, *made.graph.output):
        item.name = text.get(item.name, item.name)
    made.graph.name = made.producer_name = made.domain = code
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_param = code
    made.metadata_props.add(key=code, value=code)
    assert torch.equal(logits(made, tmp_path / "m.onnx"), plain)
    for place in ("domain", "op_type"):
        bad = classifier()
        setattr(bad.graph.node[0], place, code)
        with pytest.raises(InputError, match=r'uses .*x", None\) or '):
            logits(bad, tmp_path / "m.onnx")
    assert not (tmp_path / "executed").exists()


MIXED: dict[str, tuple[Nodes, dict[str, Any]]] = {
    "mean": ([("ReduceMean", ["y0"], ["m"], {"axes": [0]}), ("Sub", ["y0", "m"], ["y"], {})], {}),
    "backwards": (
        [("Slice", ["y0", "a", "b", "axis", "a"], ["y"], {})],
        {"a": np.array([-1]), "b": np.array([-(2**63)]), "axis": np.array([0])},
    ),
    "first": (
        [("Gather", ["y0", "i"], ["g"], {}), ("Add", ["y0", "g"], ["y"], {})],
        {"i": np.array([0])},
    ),
    "norm": ([("ReduceL2", ["y0"], ["n"], {}), ("Div", ["y0", "n"], ["y"], {})], {}),
    "transposed": (
        [
            ("Shape", ["y0"], ["s"], {}),
            ("Transpose", ["y0"], ["t"], {}),
            ("Reshape", ["t", "s"], ["y"], {}),
        ],
        {},
    ),
}


@pytest.mark.parametrize("batch", ["n", 2])
@pytest.mark.parametrize("name", MIXED)
def test_answers_that_depend_on_the_rest_of_the_batch(
    name: str, batch: str | int, tmp_path: Path
) -> None:
    after, more = MIXED[name]
    head: Nodes = [*HEAD[:3], ("Gemm", ["f", "fw", "fb"], ["y0"], {"transB": 1})]
    nodes: Nodes = [("Conv", ["x", "w"], ["c"], {"pads": [1, 1, 1, 1]}), *head, *after]
    made = model(nodes, shape=(batch, 3, SIDE, SIDE), **WEIGHTS, **more)
    with pytest.raises(InputError, match="gives other outputs for the same image in another batch"):
        logits(made, tmp_path / "m.onnx")
