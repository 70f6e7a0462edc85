"""Choose the reader for what the user gives as a model."""

from collections.abc import Callable
from os.path import isdir, isfile
from pathlib import Path

from straylight.core.errors import InputError
from straylight.models.backbones import TORCHVISION
from straylight.models.card import load_classifier
from straylight.models.classifier import Classifier
from straylight.models.options import ModelOptions
from straylight.models.readers.keras import read_keras
from straylight.models.readers.keras_applications import KERAS, read_keras_application
from straylight.models.readers.network import LoadedNetwork
from straylight.models.readers.onnx.reader import read_onnx
from straylight.models.readers.python_function import PYTHON, read_python_function
from straylight.models.readers.timm_hub import (
    CONFIG,
    HUB,
    WRAPPER,
    read_hub_config,
    read_timm_folder,
    read_timm_hub,
)
from straylight.models.readers.timm_torchvision import TIMM, read_timm_torchvision
from straylight.models.readers.torch_export import read_torch_export
from straylight.models.readers.torchscript import PICKLE_MESSAGE, read_torchscript
from straylight.models.readers.transformers import read_transformers_folder

__all__ = ["LoadedNetwork", "ModelOptions", "read_network"]

Reader = Callable[[str, ModelOptions], LoadedNetwork | Classifier]
PREFIXES: dict[str, Reader] = {
    TIMM: read_timm_torchvision,
    TORCHVISION: read_timm_torchvision,
    KERAS: read_keras_application,
    HUB: read_timm_hub,
    PYTHON: read_python_function,
}
SUFFIXES: dict[str, Reader] = {
    ".onnx": read_onnx,
    ".pt2": read_torch_export,
    ".pt": read_torchscript,
    ".pth": read_torchscript,
    ".keras": read_keras,
}
READERS_WITH_WEIGHTS = {read_timm_torchvision, read_keras_application}
PICKLE_SUFFIXES = {".bin", ".ckpt", ".pkl", ".pickle"}
ACCEPTED_MODELS = (
    "a folder of 'straylight finetune', transformers or timm, timm:NAME, torchvision:NAME, "
    "keras:NAME, hf_hub:ORG/NAME, FILE.onnx, FILE.pt2, FILE.pt (TorchScript), FILE.keras or "
    "python:MODULE:FUNCTION"
)


def read_network(spec: str, options: ModelOptions) -> LoadedNetwork | Classifier:
    """Read a model with the reader for its format.

    Raises:
        InputError: If there is no reader for it, or it cannot be read.
    """
    reader = _find_reader(spec)
    if options.weights and reader not in READERS_WITH_WEIGHTS:
        raise InputError(
            f"{spec} has its own weights: --weights is for timm:, torchvision: and keras:NAME."
        )
    return reader(spec, options)


def _find_reader(spec: str) -> Reader:
    """Return the reader for a spec, by its prefix or file type."""
    for prefix, reader in PREFIXES.items():
        if spec.startswith(prefix):
            return reader
    path = Path(spec)
    suffix = path.suffix.lower()
    if isdir(path):
        return _read_folder
    if suffix in PICKLE_SUFFIXES:
        raise InputError(PICKLE_MESSAGE.format(spec))
    if suffix in (".h5", ".hdf5", ".safetensors"):
        raise InputError(
            f"{spec} contains weights without a network: give timm:NAME or torchvision:NAME --weights "
            "FILE.safetensors, or keras:NAME --weights FILE.h5."
        )
    if suffix not in SUFFIXES:
        raise InputError(f"{spec} is not a model: give {ACCEPTED_MODELS}.")
    if not isfile(path):
        raise InputError(f"{spec} does not exist: give an existing {suffix} file.")
    return SUFFIXES[suffix]


def _read_folder(spec: str, options: ModelOptions) -> LoadedNetwork | Classifier:
    """Read a folder of `straylight finetune`, timm (hub layout) or `transformers`, by the files in it."""
    folder = Path(spec)
    if (folder / "model.json").is_file() or not (folder / CONFIG).exists():
        return load_classifier(folder)
    config = read_hub_config(spec, folder)
    if "architecture" in config or config.get("model_type") == WRAPPER:
        return read_timm_folder(spec, folder, options)
    return read_transformers_folder(spec, folder, config)
