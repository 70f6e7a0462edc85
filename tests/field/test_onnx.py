"""Field reports about ONNX files, each through `load_model`."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from onnxes import HEAD, SIDE, WEIGHTS, Nodes, classifier, model, save
from straylight.core.errors import InputError
from straylight.models.load import ModelOptions, load_model

OPTIONS = ModelOptions(
    classes=("a", "b"), size=SIDE, mean=(0.5,) * 3, std=(0.5,) * 3, head="logits"
)
IMAGES = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def logits(made: onnx.ModelProto, path: Path) -> torch.Tensor:
    return load_model(save(made, path), OPTIONS)(IMAGES)


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


def test_case_12_weights_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    inside = logits(classifier(), path)
    onnx.save(
        classifier(), path, save_as_external_data=True, location="m.onnx.data", size_threshold=0
    )
    assert torch.equal(load_model(path, OPTIONS)(IMAGES), inside)


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


def test_hostile_8_the_working_folder_is_not_looked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model" / "m.onnx"
    onnx.save(classifier(), path, save_as_external_data=True, location="s.bin", size_threshold=0)
    (tmp_path / "model" / "s.bin").rename(tmp_path / "s.bin")
    with pytest.raises(InputError, match=r"weights in s\.bin, which is not beside it"):
        load_model(path, OPTIONS)


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
    assert torch.allclose(found, ((IMAGES - 0.5) / 0.5).flatten(1)[:, :2] * SIDE)


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
    with pytest.raises(InputError, match="answers otherwise for the same image in another batch"):
        logits(made, tmp_path / "m.onnx")


def test_a_long_chain_that_shares_its_weights_is_refused(tmp_path: Path) -> None:
    chain: Nodes = [("Conv", [f"v{n}" if n else "x", "w"], [f"v{n + 1}"], {}) for n in range(3000)]
    made = model([*chain, ("Flatten", ["v3000"], ["y"], {})], w=np.ones((3, 3, 1, 1), np.float32))
    with pytest.raises(InputError, match="far longer than a network of its size"):
        logits(made, tmp_path / "m.onnx")


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
    flat = ((IMAGES - 0.5) / 0.5).flatten(1)
    flat[:, 5] = 7
    behind = torch.stack([flat[:, 1:].sum(1), flat[:, 2:].sum(1)], 1)
    assert torch.allclose(found, behind, atol=1e-3)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kernel_shape": [5, 5]}, r"kernel_shape \(5, 5\) with weights of \(3, 3\)"),
        ({"auto_pad": "VALID", "pads": [1, 1, 1, 1]}, "both pads and an auto_pad"),
        ({"auto_pad": "SAME_UPPER", "pads": [1, 1, 1, 1]}, "both pads and an auto_pad"),
    ],
)
def test_attributes_that_contradict_each_other(
    attributes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        logits(classifier(conv=attributes), tmp_path / "m.onnx")
