"""Readers: what a user may give as a classifier, one file for each kind."""

from collections.abc import Callable
from os.path import isdir, isfile
from pathlib import Path

from straylight.core.errors import InputError
from straylight.models.backbones import TORCHVISION
from straylight.models.classifier import Classifier
from straylight.models.readers.folder import read_folder
from straylight.models.readers.keras import read_keras
from straylight.models.readers.keras_applications import KERAS, read_application
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.readers.onnx.reader import read_onnx
from straylight.models.readers.python_function import PYTHON, read_function
from straylight.models.readers.timm_hub import HUB, read_hub
from straylight.models.readers.timm_torchvision import TIMM, read_named
from straylight.models.readers.torch_export import read_exported
from straylight.models.readers.torchscript import PICKLED, read_torchscript

__all__ = ["Brought", "ModelOptions", "read"]

Reader = Callable[[str, ModelOptions], Brought | Classifier]
PREFIXES: dict[str, Reader] = {
    TIMM: read_named,
    TORCHVISION: read_named,
    KERAS: read_application,
    HUB: read_hub,
    PYTHON: read_function,
}
SUFFIXES: dict[str, Reader] = {
    ".onnx": read_onnx,
    ".pt2": read_exported,
    ".pt": read_torchscript,
    ".pth": read_torchscript,
    ".keras": read_keras,
}
WITH_WEIGHTS = {read_named, read_application}
PICKLES = {".bin", ".ckpt", ".pkl", ".pickle"}
KINDS = (
    "a folder of 'straylight finetune', transformers or timm, timm:NAME, torchvision:NAME, "
    "keras:NAME, hf_hub:ORG/NAME, FILE.onnx, FILE.pt2, FILE.pt (TorchScript), FILE.keras or "
    "python:MODULE:FUNCTION"
)


def read(spec: str, options: ModelOptions) -> Brought | Classifier:
    """Read what a user gave, by its reader.

    Raises:
        InputError: If there is no reader for it, or that cannot read it.
    """
    reader = reader_of(spec)
    if options.weights and reader not in WITH_WEIGHTS:
        raise InputError(
            f"{spec} has its own weights: --weights is for timm:, torchvision: and keras:NAME."
        )
    return reader(spec, options)


def reader_of(spec: str) -> Reader:
    """Tell which reader takes what a user gave."""
    for prefix, reader in PREFIXES.items():
        if spec.startswith(prefix):
            return reader
    path = Path(spec)
    suffix = path.suffix.lower()
    if isdir(path):
        return read_folder
    if suffix in PICKLES:
        raise InputError(PICKLED.format(spec))
    if suffix in (".h5", ".hdf5", ".safetensors"):
        raise InputError(
            f"{spec} is weights without a network: give timm:NAME or torchvision:NAME --weights "
            "FILE.safetensors, or keras:NAME --weights FILE.h5."
        )
    if suffix not in SUFFIXES:
        raise InputError(f"{spec} is no model: give {KINDS}.")
    if not isfile(path):
        raise InputError(f"{spec} does not exist: give an existing {suffix} file.")
    return SUFFIXES[suffix]
