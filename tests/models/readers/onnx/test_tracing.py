"""Graphs are traced: for any batch size, and without what does not lead to the output."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from onnx_reference import IMAGES, OPTIONS, ints
from onnxes import SIDE, WEIGHTS, Nodes, classifier, model, noise, save
from straylight.core.errors import InputError
from straylight.models.readers.onnx.model import OnnxModel, read_onnx_model
from straylight.models.readers.onnx.network import OnnxNetwork
from straylight.models.readers.onnx.reader import read_onnx
from straylight.models.readers.onnx.tracing import ROWS, GraphTracer, TraceBatch, infer_output_shape


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


def trace(made: onnx.ModelProto, path: Path) -> tuple[OnnxModel, OnnxNetwork]:
    """Return a parsed graph and the network of its one output."""
    parsed = read_onnx_model(save(made, path))
    (output,) = parsed.outputs
    images = TraceBatch(ROWS, (3, SIDE, SIDE), False)
    return parsed, GraphTracer(parsed, output, images, one_batch=False).build_network()


def test_nodes_that_do_not_lead_to_the_output_are_left_out(tmp_path: Path) -> None:
    nodes: Nodes = [("Flatten", ["x"], ["y"], {}), ("NonZero", ["x"], ["z"], {})]
    network = read_onnx(str(save(model(nodes), tmp_path / "m.onnx")), OPTIONS).network
    assert torch.equal(network(IMAGES), IMAGES.flatten(1))
    with pytest.raises(InputError, match="uses NonZero"):
        read_onnx(str(save(model(nodes, outputs=("z",)), tmp_path / "m.onnx")), OPTIONS)


def test_what_is_the_same_for_all_images_is_computed_once(tmp_path: Path) -> None:
    nodes: Nodes = [
        ("Constant", [], ["two"], {"value_float": 2.0}),
        ("Mul", ["k", "two"], ["k2"], {}),
        ("Exp", ["k2"], ["e"], {}),
        ("Mul", ["x", "e"], ["m"], {}),
        ("Flatten", ["m"], ["y"], {}),
    ]
    made = model(nodes, k=np.float32(0.25))
    _, network = trace(made, tmp_path / "m.onnx")
    assert [step.operator for step in network.steps] == ["Mul", "Flatten"]
    (expected,) = ReferenceEvaluator(made).run(None, {"x": IMAGES.numpy()})
    torch.testing.assert_close(network(IMAGES), torch.tensor(expected))
    constant = model([("Exp", ["k"], ["y"], {})], k=noise(2, 2))
    with pytest.raises(InputError, match="gives an output that does not depend on the images"):
        read_onnx(str(save(constant, tmp_path / "m.onnx")), OPTIONS)


def test_shapes_are_inferred_as_they_are_computed(tmp_path: Path) -> None:
    parsed, network = trace(classifier(), tmp_path / "m.onnx")
    for rows in (1, 4):
        inferred = infer_output_shape(network, TraceBatch(rows, (3, SIDE, SIDE), False), parsed)
        assert inferred == tuple(network(IMAGES[:1].repeat(rows, 1, 1, 1)).shape) == (rows, 2)
