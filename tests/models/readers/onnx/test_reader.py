"""ONNX files: each operator against ONNX's own evaluator; files that would cost or reach more."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from onnxes import HEAD, SIDE, WEIGHTS, Nodes, classifier, model, noise, save
from straylight.core.errors import InputError
from straylight.models.folding import fold
from straylight.models.load import ModelOptions, load_model
from straylight.models.readers.onnx.reader import read_onnx

OPTIONS = ModelOptions(
    classes=("a", "b"), size=SIDE, mean=(0.0,) * 3, std=(1.0,) * 3, head="logits"
)
IMAGES = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def assert_like_reference(made: onnx.ModelProto, path: Path, *, nhwc: bool = False) -> None:
    """Compare with ONNX's own numpy evaluator, and see that a gradient comes back to the images."""
    images = IMAGES.clone().requires_grad_()
    found = read_onnx(str(save(made, path)), OPTIONS).network(images)
    given = IMAGES.numpy().transpose(0, 2, 3, 1) if nhwc else IMAGES.numpy()
    (expected,) = ReferenceEvaluator(made).run(None, {"x": np.ascontiguousarray(given)})
    torch.testing.assert_close(found.detach(), torch.tensor(expected), rtol=1e-4, atol=1e-5)
    (gradient,) = torch.autograd.grad(found.square().sum(), images)
    assert gradient.isfinite().all()
    assert gradient.any()


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


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


def test_softmax_before_version_13_is_of_all_axes_behind(tmp_path: Path) -> None:
    nodes: Nodes = [("Softmax", ["x"], ["t"], {}), ("Flatten", ["t"], ["y"], {})]
    path = save(model(nodes, opset=11), tmp_path / "m.onnx")
    found = read_onnx(str(path), OPTIONS).network(IMAGES)
    torch.testing.assert_close(found, IMAGES.flatten(1).softmax(1))


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_auto_pad(auto_pad: str, stride: int, tmp_path: Path) -> None:
    """Against torch's own convolution with the padding that the standard's formula gives."""
    made = classifier(conv={"auto_pad": auto_pad, "strides": [stride, stride]})
    network = read_onnx(str(save(made, tmp_path / "m.onnx")), OPTIONS).network
    whole = max(0, (-(-SIDE // stride) - 1) * stride + 3 - SIDE)
    before = whole // 2 if auto_pad == "SAME_UPPER" else whole - whole // 2
    ends = (before, whole - before) if auto_pad != "VALID" else (0, 0)
    padded = torch.nn.functional.pad(IMAGES, (*ends, *ends))
    weight, linear, bias = (torch.tensor(WEIGHTS[name]) for name in ("w", "fw", "fb"))
    features = torch.nn.functional.conv2d(padded, weight, stride=stride).relu().mean((2, 3))
    torch.testing.assert_close(network(IMAGES), features @ linear.t() + bias)


@pytest.mark.parametrize("shape", [("n", SIDE, SIDE, 3), ("n", "h", "w", "c")])
def test_channels_last(shape: tuple[Any, ...], tmp_path: Path) -> None:
    turn: Nodes = [("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]})]
    assert_like_reference(classifier("t", turn, shape=shape), tmp_path / "m.onnx", nhwc=True)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_graph_for_one_batch_size_takes_any(batch: int, tmp_path: Path) -> None:
    nodes: Nodes = [
        ("Conv", ["x", "w"], ["c"], {}),
        ("Reshape", ["c", "s"], ["f"], {}),
        ("MatMul", ["f", "v"], ["y"], {}),
    ]
    made = model(
        nodes, shape=(batch, 3, SIDE, SIDE), w=WEIGHTS["w"], s=ints(batch, 400), v=noise(400, 2)
    )
    network = read_onnx(str(save(made, tmp_path / "m.onnx")), OPTIONS).network
    reference = ReferenceEvaluator(made)
    parts = IMAGES.split(batch)
    expected = np.concatenate([reference.run(None, {"x": part.numpy()})[0] for part in parts])
    torch.testing.assert_close(network(IMAGES), torch.tensor(expected), rtol=1e-4, atol=1e-5)
    assert network(IMAGES.repeat(3, 1, 1, 1)[:5]).shape == (5, 2)


def test_a_graph_that_mixes_its_batch_is_refused(tmp_path: Path) -> None:
    mixing: Nodes = [
        ("Flatten", ["x"], ["f"], {}),
        ("Reshape", ["f", "s"], ["g"], {}),
        ("MatMul", ["g", "v"], ["y"], {}),
    ]
    made = model(mixing, shape=(2, 3, SIDE, SIDE), s=ints(1, 864), v=noise(864, 2))
    with pytest.raises(InputError, match="takes batches of exactly 2"):
        read_onnx(str(save(made, tmp_path / "m.onnx")), OPTIONS)


def test_batch_norms_and_convolutions_are_torch_layers(tmp_path: Path) -> None:
    norm: Nodes = [
        ("Conv", ["x", "w"], ["k"], {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", ["k", "s", "b", "m", "v"], ["c"], {"epsilon": 1e-3}),
        *HEAD,
    ]
    numbers = {name: noise(4, seed=n) for n, name in enumerate("sbm", 3)}
    made = model(norm, **WEIGHTS, **numbers, v=np.abs(noise(4, seed=6)) + 0.5)
    assert_like_reference(made, tmp_path / "m.onnx")
    found = load_model(tmp_path / "m.onnx", OPTIONS)
    (layer,) = (m for m in found.modules() if isinstance(m, nn.BatchNorm2d))
    assert layer.running_mean is not None
    assert layer.running_mean.tolist() == numbers["m"].tolist()
    folded = fold(found)
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    images = torch.rand(2, 3, SIDE, SIDE)
    torch.testing.assert_close(folded(images), found(images))


def test_two_graphs_with_the_same_weights_have_other_digests(tmp_path: Path) -> None:
    digests = {
        load_model(save(classifier(conv=conv), tmp_path / "m.onnx"), OPTIONS).sha256
        for conv in ({"pads": [1, 1, 1, 1]}, {"pads": [0, 0, 0, 0]}, {"auto_pad": "SAME_LOWER"})
    }
    assert len(digests) == 3


def outside(made: onnx.ModelProto, folder: Path, **said: str) -> Path:
    """Write a model whose convolution lies in another file."""
    tensor = next(t for t in made.graph.initializer if t.name == "w")
    (folder / "m.data").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in ({"location": "m.data"} | said).items():
        tensor.external_data.add(key=key, value=value)
    return save(made, folder / "m.onnx")


def test_weights_beside_the_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = outside(classifier(), tmp_path, offset="0", length="432")
    (tmp_path / "elsewhere" / "m.data").write_bytes(bytes(432))  # of another network
    inside = save(classifier(), tmp_path / "inside.onnx")
    found = [read_onnx(str(p), OPTIONS).network(IMAGES) for p in (path, inside)]
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"location": "/etc/hostname"}, "must lie beside it"),
        ({"location": "../m.data"}, "must lie beside it"),
        ({"location": "sub/m.data"}, "must lie beside it"),
        ({"location": ".."}, "must lie beside it"),
        ({"location": ""}, "must lie beside it"),
        ({"location": "linked"}, "is a link"),
        ({"location": "pipe"}, "is a link or not a file"),
        ({"location": "nothing"}, "is not beside it"),
        ({"offset": "1"}, "beyond the end"),
        ({"offset": "-1"}, "plain offset"),
        ({"length": "431"}, "says it has 432"),
        ({"offset": "9" * 18}, "beyond the end"),
    ],
)
def test_other_weights_are_refused(said: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(tmp_path / "m.data")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=message):
        read_onnx(str(outside(classifier(), tmp_path, **said)), OPTIONS)


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
        "holds string numbers": model([("Add", ["x", "k"], ["y"], {})], k=np.array(["a"], object)),
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
        "shape depends on what is in the images": model(
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
