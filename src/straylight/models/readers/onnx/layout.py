"""What images a graph takes: their size, and where their channels are."""

from straylight.data.images import RGB
from straylight.models.readers.export_checks import Refused
from straylight.models.readers.network import ModelOptions
from straylight.models.readers.onnx.model import Model
from straylight.models.readers.onnx.network import TO_NHWC
from straylight.models.readers.onnx.tracing import ROWS, Images

CHANNELS = (1, RGB)
TO_NCHW = (0, 3, 1, 2)


def image_of(model: Model, options: ModelOptions) -> tuple[Images, int]:
    """Return a batch of the images that a graph takes, and the side that its file says (0: none).

    Raises:
        Refused: If it takes other images than the user says, or none.
    """
    shape = model.shape or (0, 0, 0, 0)
    if len(shape) != 4:
        raise Refused(f"takes tensors of {len(shape)} dimensions, not batches of images")
    nhwc = channels_last(model, shape)
    channels, height, width = (shape[i] for i in ((3, 1, 2) if nhwc else (1, 2, 3)))
    if channels and channels not in CHANNELS:
        raise Refused(f"takes images of {channels} channels, not of 1 or 3")
    given = len(options.mean) or channels or RGB
    if channels and given != channels:
        raise Refused(
            f"takes images of {channels} channels: --mean and --std need {channels} numbers"
        )
    if height and width and height != width:
        raise Refused(f"takes images of {height} x {width} pixels, not square ones")
    said = height or width
    if said and options.size and said != options.size:
        raise Refused(
            f"takes images of {said} pixels a side, not {options.size}: give --size {said}"
        )
    side = said or options.size
    return Images(ROWS, (given, side, side), nhwc), said


def channels_last(model: Model, shape: tuple[int, ...]) -> bool:
    """Check whether a graph takes its channels last, by its input or else by its first nodes."""
    ends = shape[1] in CHANNELS, shape[3] in CHANNELS
    if ends[0] != ends[1]:
        return ends[1]
    first = [node for node in model.nodes if model.image in node.inputs]
    turns = {node.attributes.get("perm") for node in first if node.operator == "Transpose"}
    return TO_NCHW in turns and TO_NHWC not in turns
