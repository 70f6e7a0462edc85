"""Determine the images that a graph takes: their size, and whether channels come first or last."""

from straylight.data.images import RGB
from straylight.models.options import ModelOptions
from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.model import OnnxModel
from straylight.models.readers.onnx.network import TO_NHWC
from straylight.models.readers.onnx.tracing import ROWS, TraceBatch

CHANNELS = (1, RGB)
TO_NCHW = (0, 3, 1, 2)


def trace_batch(model: OnnxModel, options: ModelOptions) -> tuple[TraceBatch, int]:
    """Return the batch to trace a graph with, and the image side in its file (0: any).

    Raises:
        UnsupportedModelError: If it does not take images, or others than the user's options say.
    """
    shape = model.shape or (0, 0, 0, 0)
    if len(shape) != 4:
        raise UnsupportedModelError(
            f"takes tensors of {len(shape)} dimensions, not batches of images"
        )
    nhwc = _takes_channels_last(model, shape)
    channels, height, width = (shape[i] for i in ((3, 1, 2) if nhwc else (1, 2, 3)))
    if channels and channels not in CHANNELS:
        raise UnsupportedModelError(f"takes images of {channels} channels, not of 1 or 3")
    given = len(options.mean) or channels or RGB
    if channels and given != channels:
        raise UnsupportedModelError(
            f"takes images of {channels} channels: --mean and --std need {channels} numbers"
        )
    if height and width and height != width:
        raise UnsupportedModelError(f"takes images of {height} x {width} pixels, not square ones")
    known_side = height or width
    if known_side and options.size and known_side != options.size:
        raise UnsupportedModelError(
            f"takes images of {known_side} pixels a side, not {options.size}: give --size {known_side}"
        )
    side = known_side or options.size
    return TraceBatch(ROWS, (given, side, side), nhwc), known_side


def _takes_channels_last(model: OnnxModel, shape: tuple[int, ...]) -> bool:
    """Return whether a graph takes channels last, by its input shape or else by its first nodes."""
    ends = shape[1] in CHANNELS, shape[3] in CHANNELS
    if ends[0] != ends[1]:
        return ends[1]
    first = [node for node in model.nodes if model.image in node.inputs]
    turns = {node.attributes.get("perm") for node in first if node.operator == "Transpose"}
    return TO_NCHW in turns and TO_NHWC not in turns
