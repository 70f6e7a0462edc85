"""Read ONNX files, without a converter, as networks that torch computes.

A converter that generates source code (onnx2torch, torch.fx) may run code in the file's names, and
protobuf's own parser creates an object for every two bytes. Therefore Straylight parses the file itself
(`protobuf.py`, `model.py`, `tensors.py`), names become numbers, and a plain module (`network.py`) runs the
nodes with torch functions from an allow-list. Every attribute, type and shape is checked before anything is
computed (`tracing.py`, `limits.py`).
"""

from pathlib import Path

import torch
from torch import Tensor

from straylight.core.errors import InputError, join_names, quote_text, reason_of
from straylight.models.options import ModelOptions
from straylight.models.readers.network import LoadedNetwork, ProgramNetwork, UnsupportedModelError
from straylight.models.readers.onnx.layout import trace_batch
from straylight.models.readers.onnx.model import OnnxModel, read_onnx_model
from straylight.models.readers.onnx.network import OnnxNetwork
from straylight.models.readers.onnx.tracing import ROWS, GraphTracer, TraceBatch, infer_output_shape

REEXPORT_HINT = (
    "export it again in float32 with torch.onnx.export or tf2onnx (opset 11 to 20), or give "
    "python:MODULE:FUNCTION"
)
DYNAMIC_BATCH_HINT = (
    'export it with dynamic_shapes=({0: "batch"},), or with dynamo=False and '
    'dynamic_axes={"input": {0: "batch"}}'
)
OUTPUT_TOLERANCE = 1e-4  # relative to the outputs' spread


def read_onnx(spec: str, options: ModelOptions) -> LoadedNetwork:
    """Read ``FILE.onnx`` and its external weights.

    Raises:
        InputError: If it is not a float32 image classifier with standard operators, or would cost far more
            than a network of its size.
    """
    try:
        model = read_onnx_model(Path(spec))
        images, size = trace_batch(model, options)
        if not images.shape[1]:
            return LoadedNetwork(torch.nn.Identity())  # the user will be asked for its size
        with torch.no_grad():
            network = _choose_network(model, images, options)
    except (UnsupportedModelError, OSError, MemoryError) as error:
        reason = (
            str(error)
            if isinstance(error, UnsupportedModelError)
            else f"fails ({reason_of(error)})"
        )
        remedy = "" if ": " in reason else f": {REEXPORT_HINT}"
        raise InputError(f"{spec} cannot be converted from ONNX: it {reason}{remedy}.") from error
    return LoadedNetwork(ProgramNetwork(network, network.source()), size=size)


def _choose_network(model: OnnxModel, images: TraceBatch, options: ModelOptions) -> OnnxNetwork:
    """Return the network for the output that is a classifier's.

    Raises:
        UnsupportedModelError: If there is none, or more than one.
    """
    found: dict[int, OnnxNetwork] = {}
    reasons: list[UnsupportedModelError] = []
    for output in model.outputs:
        try:
            found[output] = _trace_any_batch(model, output, images)
        except UnsupportedModelError as refusal:
            reasons.append(refusal)
    if not found:
        raise reasons[0]
    if len(found) > 1:
        wide = len(options.classes)
        fitting = {n: net for n, net in found.items() if _output_width(net, images, model) == wide}
        found = fitting or found
    # Logits and their probabilities are the same prediction: keep the logits.
    later = {n for n in found if any(_is_activation_of(model, m, n) for m in found if m != n)}
    names = [model.outputs[n] for n in found if n not in later]
    if len(names) != 1:
        raise UnsupportedModelError(
            f"gives {len(names)} outputs that may be a classifier's ({join_names(names)}): keep one with "
            'onnx.utils.extract_model(FILE, NEW_FILE, ["INPUT"], ["OUTPUT"])'
        )
    network = next(net for n, net in found.items() if n not in later)
    _check_batch_independence(network, images)
    return network


def _output_width(network: OnnxNetwork, images: TraceBatch, model: OnnxModel) -> int:
    """Return the number of outputs per image."""
    return infer_output_shape(network, images, model)[-1]


def _is_activation_of(model: OnnxModel, logits: int, probabilities: int) -> bool:
    """Return whether one output is the softmax or sigmoid of another."""
    return any(
        node.operator in ("Softmax", "Sigmoid", "LogSoftmax")
        and node.inputs[:1] == (logits,)
        and probabilities in node.outputs
        for node in model.nodes
    )


def _trace_any_batch(model: OnnxModel, output: int, images: TraceBatch) -> OnnxNetwork:
    """Return the network for one output, for batches of any size.

    Raises:
        UnsupportedModelError: If it does not give one row per image for every batch size.
    """
    try:
        network = GraphTracer(model, output, images, one_batch=False).build_network()
        _check_row_count(network, images, model)
    except UnsupportedModelError as refusal:
        fixed = model.shape[0] if model.shape else 0
        if not 1 <= fixed <= 8:
            raise
        return _generalise_batch_size(
            model, output, TraceBatch(fixed, images.shape, images.nhwc), refusal
        )
    return network


def _check_row_count(network: OnnxNetwork, images: TraceBatch, model: OnnxModel) -> None:
    """Raise if a network does not give one row per image."""
    for rows in (images.rows, 1, images.rows + 5):
        shape = infer_output_shape(network, TraceBatch(rows, images.shape, images.nhwc), model)
        if shape[:1] != (rows,) or len(shape) > 2:
            raise UnsupportedModelError(
                f"gives {quote_text(shape)} for {rows} images, where a classifier gives a row for each"
            )


def _check_batch_independence(network: OnnxNetwork, images: TraceBatch) -> None:
    """Raise if the outputs for an image depend on the rest of the batch.

    The images are noise of different brightness, since averages over plain noise are all the same.
    """
    bright = torch.linspace(1, 0.2, ROWS).reshape(-1, 1, 1, 1)
    noise = bright * torch.rand(ROWS, *images.shape, generator=torch.Generator().manual_seed(0))
    together = _run_network(network, noise)
    alone = torch.cat([_run_network(network, noise[k : k + 1]) for k in range(ROWS)])
    near = OUTPUT_TOLERANCE * float(together.abs().nan_to_num(0, 0, 0).max()) + 1e-12
    if together.shape != alone.shape or not torch.allclose(
        together, alone, rtol=0, atol=near, equal_nan=True
    ):
        raise UnsupportedModelError("gives other outputs for the same image in another batch")


def _run_network(network: OnnxNetwork, images: Tensor) -> Tensor:
    """Return the outputs of a network for images.

    Raises:
        UnsupportedModelError: If it fails.
    """
    try:
        found: Tensor = network(images)
    except MemoryError:
        raise
    except Exception as error:
        raise UnsupportedModelError(
            f"fails on a batch of {len(images)} ({reason_of(error)})"
        ) from error
    return found


def _generalise_batch_size(
    model: OnnxModel, output: int, images: TraceBatch, refusal: UnsupportedModelError
) -> OnnxNetwork:
    """Return a network for any batch size from a graph that was exported for one batch size.

    Raises:
        UnsupportedModelError: If it does not give the same outputs on noise, up to rounding.
    """
    plain = GraphTracer(model, output, images, one_batch=False).build_network()
    if len(infer_output_shape(plain, images, model)) > 2:
        raise refusal
    try:
        network = GraphTracer(model, output, images, one_batch=True).build_network()
        _check_row_count(network, images, model)
    except UnsupportedModelError as reason:
        raise UnsupportedModelError(
            f"takes batches of exactly {images.rows}: {DYNAMIC_BATCH_HINT}"
        ) from reason
    noise = torch.rand(2 * images.rows, *images.shape, generator=torch.Generator().manual_seed(0))
    expected = torch.cat([_run_network(plain, part) for part in torch.split(noise, images.rows)])
    found = _run_network(network, noise)
    spread = float(expected.std()) + 1e-6
    if expected.shape != found.shape or not bool(
        ((expected - found).abs() <= OUTPUT_TOLERANCE * spread).all()
    ):
        raise UnsupportedModelError(f"takes batches of exactly {images.rows}: {DYNAMIC_BATCH_HINT}")
    return network


__all__ = ["ROWS", "read_onnx"]
