"""ONNX files, read by Straylight itself and computed by torch.

A converter that goes through generated source (onnx2torch, torch.fx) runs what the names in a file say, and
protobuf's reader makes objects of every two bytes. So the file is taken apart by a reader of its own
(`wire.py`, `model.py`, `tensors.py`), names become numbers, and a plain module (`network.py`) walks the
nodes with functions of torch from a list. Every attribute, type and shape is checked before anything is
computed (`tracing.py`, `limits.py`).
"""

from pathlib import Path

import torch
from torch import Tensor

from straylight.core.errors import InputError, listed, quoted, reason_of
from straylight.models.readers.export_checks import Refused
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.readers.onnx.layout import image_of
from straylight.models.readers.onnx.model import Model, read_model
from straylight.models.readers.onnx.network import Network
from straylight.models.readers.onnx.tracing import ROWS, Images, Trace, measure
from straylight.models.readers.program import Program

AGAIN = (
    "export it again in float32 with torch.onnx.export or tf2onnx (opset 11 to 20), or give "
    "python:MODULE:FUNCTION"
)
BATCH = (
    'export it with dynamic_shapes=({0: "batch"},), or with dynamo=False and '
    'dynamic_axes={"input": {0: "batch"}}'
)
TOLERANCE = 1e-4  # of the outputs' spread


def read_onnx(spec: str, options: ModelOptions) -> Brought:
    """Read ``FILE.onnx`` and the weights beside it.

    Raises:
        InputError: If it is not a float32 classifier of images made of standard operators, or would
            cost more than a network of its size.
    """
    try:
        model = read_model(Path(spec))
        images, size = image_of(model, options)
        if not images.shape[1]:
            return Brought(torch.nn.Identity())  # its size is not said, and will be asked for
        with torch.no_grad():
            network = choose(model, images, options)
    except (Refused, OSError, MemoryError) as error:
        reason = str(error) if isinstance(error, Refused) else f"fails ({reason_of(error)})"
        remedy = "" if ": " in reason else f": {AGAIN}"
        raise InputError(f"{spec} cannot be converted from ONNX: it {reason}{remedy}.") from error
    return Brought(Program(network, network.source()), size=size)


def choose(model: Model, images: Images, options: ModelOptions) -> Network:
    """Return the network of the output that is a classifier's.

    Raises:
        Refused: If there is none, or more than one.
    """
    found: dict[int, Network] = {}
    reasons: list[Refused] = []
    for output in model.outputs:
        try:
            found[output] = any_batch(model, output, images)
        except Refused as refusal:
            reasons.append(refusal)
    if not found:
        raise reasons[0]
    if len(found) > 1:
        wide = len(options.classes)
        fitting = {n: net for n, net in found.items() if width(net, images, model) == wide}
        found = fitting or found
    # Probabilities of the same graph's logits are the same answer.
    later = {n for n in found if any(leads_to(model, m, n) for m in found if m != n)}
    names = [model.outputs[n] for n in found if n not in later]
    if len(names) != 1:
        raise Refused(
            f"gives {len(names)} outputs that may be a classifier's ({listed(names)}): keep one with "
            'onnx.utils.extract_model(FILE, NEW_FILE, ["INPUT"], ["OUTPUT"])'
        )
    network = next(net for n, net in found.items() if n not in later)
    check_alone(network, images)
    return network


def width(network: Network, images: Images, model: Model) -> int:
    """Return the number of outputs for each image."""
    return measure(network, images, model)[-1]


def leads_to(model: Model, logits: int, probabilities: int) -> bool:
    """Check whether one output is the softmax or sigmoid of another."""
    return any(
        node.operator in ("Softmax", "Sigmoid", "LogSoftmax")
        and node.inputs[:1] == (logits,)
        and probabilities in node.outputs
        for node in model.nodes
    )


def any_batch(model: Model, output: int, images: Images) -> Network:
    """Return the network of one output, for batches of any size.

    Raises:
        Refused: If it does not give a row for each image, whatever the batch.
    """
    try:
        network = Trace(model, output, images, one_batch=False).network()
        check_rows(network, images, model)
    except Refused as refusal:
        fixed = model.shape[0] if model.shape else 0
        if not 1 <= fixed <= 8:
            raise
        return loosened(model, output, Images(fixed, images.shape, images.nhwc), refusal)
    return network


def check_rows(network: Network, images: Images, model: Model) -> None:
    """Raise if a network does not give one row for each image."""
    for rows in (images.rows, 1, images.rows + 5):
        shape = measure(network, Images(rows, images.shape, images.nhwc), model)
        if shape[:1] != (rows,) or len(shape) > 2:
            raise Refused(
                f"gives {quoted(shape)} for {rows} images, where a classifier gives a row for each"
            )


def check_alone(network: Network, images: Images) -> None:
    """Raise if the answer for an image depends on the rest of its batch.

    Rows of noise of different brightness: averaged over an image, plain noise is the same for all.
    """
    bright = torch.linspace(1, 0.2, ROWS).reshape(-1, 1, 1, 1)
    noise = bright * torch.rand(ROWS, *images.shape, generator=torch.Generator().manual_seed(0))
    together = answers(network, noise)
    alone = torch.cat([answers(network, noise[k : k + 1]) for k in range(ROWS)])
    near = TOLERANCE * float(together.abs().nan_to_num(0, 0, 0).max()) + 1e-12
    if together.shape != alone.shape or not torch.allclose(
        together, alone, rtol=0, atol=near, equal_nan=True
    ):
        raise Refused("answers otherwise for the same image in another batch")


def answers(network: Network, images: Tensor) -> Tensor:
    """Return what a network gives for images.

    Raises:
        Refused: If it fails.
    """
    try:
        found: Tensor = network(images)
    except MemoryError:
        raise
    except Exception as error:
        raise Refused(f"fails on a batch of {len(images)} ({reason_of(error)})") from error
    return found


def loosened(model: Model, output: int, images: Images, refusal: Refused) -> Network:
    """Return a network for any batch of a graph that was exported for one batch size, if it is the same.

    Raises:
        Refused: If it is not, to rounding, on noise.
    """
    plain = Trace(model, output, images, one_batch=False).network()
    if len(measure(plain, images, model)) > 2:
        raise refusal
    try:
        network = Trace(model, output, images, one_batch=True).network()
        check_rows(network, images, model)
    except Refused as reason:
        raise Refused(f"takes batches of exactly {images.rows}: {BATCH}") from reason
    noise = torch.rand(2 * images.rows, *images.shape, generator=torch.Generator().manual_seed(0))
    expected = torch.cat([answers(plain, part) for part in torch.split(noise, images.rows)])
    found = answers(network, noise)
    spread = float(expected.std()) + 1e-6
    if expected.shape != found.shape or not bool(
        ((expected - found).abs() <= TOLERANCE * spread).all()
    ):
        raise Refused(f"takes batches of exactly {images.rows}: {BATCH}")
    return network


__all__ = ["ROWS", "read_onnx"]
