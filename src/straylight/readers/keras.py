"""Keras 3 models (.keras), on its torch backend."""

import io
import json
import os
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from straylight.errors import InputError
from straylight.images import RGB
from straylight.readers.brought import Brought, ModelOptions, reason_of
from straylight.readers.graphs import tables
from straylight.readers.hdf5 import check_hdf5
from straylight.readers.program import Program

MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
MODULES = re.compile(
    r"keras|keras\.(src\.)?(layers|models|initializers|regularizers|constraints|activations|losses"
    r"|metrics|optimizers|ops|quantizers|dtype_policies)(\.\w+)*"
)
FUNCTIONS = re.compile(r"builtins|keras\.(src\.)?(activations|ops)(\.\w+)*")
TENSORS = {"__keras_tensor__", "__tensor__", "__numpy__"}
# Layers that hold Python, other libraries' models, or the names of files.
UNSAFE = {
    *("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"),
}


class ChannelsLast(nn.Module):
    """A Keras model that takes images as torch has them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        shape: Any = model.input_shape
        self.last = channels_last(shape)

    def forward(self, images: Tensor) -> object:
        return self.model(images.permute(0, 2, 3, 1) if self.last else images, training=False)


def channels_last(shape: tuple[int | None, ...]) -> bool:
    """Tell whether images are (N, H, W, C)."""
    return shape[-1] in (1, RGB)


def read_keras(spec: str, _: ModelOptions) -> Brought:
    """Read ``FILE.keras``.

    Raises:
        InputError: If it holds code or classes that are not Keras' own, or cannot be built.
    """
    source = check_archive(spec)
    keras = import_keras(spec)
    try:
        with quiet():
            model = keras.saving.load_model(spec, compile=False, safe_mode=True)
    except Exception as error:
        # Keras raises kinds of all sorts.
        raise InputError(f"{spec} cannot be built by Keras ({reason_of(error)}).") from error
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise InputError(f"{spec} takes {shape}: a classifier takes a batch of images.")
    side = shape[1:3] if channels_last(shape) else shape[2:]
    square = side[0] if side[0] == side[1] and side[0] else 0
    return Brought(Program(ChannelsLast(model), source), size=square)


def check_archive(spec: str) -> bytes:
    """Return the configuration of a .keras file, if all its classes are Keras' own."""
    try:
        with zipfile.ZipFile(spec) as archive:
            names = archive.namelist()
            if sorted(names) != sorted(MEMBERS):
                raise InputError(
                    f"{spec} holds more than a network and its weights, or not these "
                    f"({', '.join(names[:5])}), and is not read."
                )
            source = archive.read("config.json")
            weights = archive.read("model.weights.h5")
        for table in tables(json.loads(source)):
            check_class(spec, table)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, RecursionError) as error:
        raise InputError(
            f"{spec} is no .keras file ({reason_of(error)}): save it again."
        ) from error
    check_hdf5(spec, io.BytesIO(weights))
    return source


def check_class(spec: str, table: dict[str, Any]) -> None:
    """Refuse a class, function or closure that is not Keras' own, or that is known to run code."""
    if "class_name" not in table and "module" not in table:
        return
    name, module = str(table.get("class_name")), table.get("module")
    own = table.get("registered_name") not in (None, name)
    known = module is None or (FUNCTIONS if name == "function" else MODULES).fullmatch(str(module))
    special = name.startswith("__") and name not in TENSORS
    if name in UNSAFE or own or special or not known:
        full = f"{module}.{name}" if module else name
        raise InputError(
            f"{spec} holds {full}, which can run code or read files, and is not read: use layers of Keras "
            "alone, or give python:MODULE:FUNCTION."
        )


def import_keras(spec: str) -> ModuleType:
    """Import Keras on its torch backend, on the processor."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
        os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")
    try:
        with quiet():
            import keras
    except ImportError:
        raise InputError(f"{spec} needs Keras: 'pip install straylight[keras]'.") from None
    if keras.backend.backend() != "torch":
        raise InputError(
            f"{spec} needs Keras on torch, but it was imported on {keras.backend.backend()}: set "
            "KERAS_BACKEND=torch before the first import."
        )
    found: ModuleType = keras
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what Keras says of numpy's future, which no user can change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
