"""ONNX files, converted to a module with gradients (onnx2torch)."""

from torch import nn

from straylight.errors import InputError
from straylight.readers.brought import Brought, ModelOptions, reason_of


def read_onnx(spec: str, _: ModelOptions) -> Brought:
    """Convert ``FILE.onnx``."""
    try:
        import onnx
        from onnx2torch import convert
    except ImportError:
        raise InputError(f"{spec} needs onnx2torch: 'pip install straylight[onnx]'.") from None
    try:
        model = onnx.load(spec, load_external_data=False)
        onnx.checker.check_model(model)
        network: nn.Module = convert(model)
    except Exception as error:
        # protobuf, onnx and the converter each raise their own kinds.
        raise InputError(
            f"{spec} cannot be converted from ONNX ({reason_of(error)}): export it again "
            "with all weights inside, or give python:MODULE:FUNCTION."
        ) from error
    return Brought(network)
