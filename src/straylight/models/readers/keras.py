"""Read Keras 3 models (.keras), run by Keras on its torch backend."""

import io
import json
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from straylight.core.errors import InputError, join_names, quote_text, reason_of
from straylight.core.strict_json import parse_json
from straylight.data.images import RGB
from straylight.models.options import ModelOptions
from straylight.models.readers.export_checks import iterate_tables
from straylight.models.readers.hdf5 import check_hdf5
from straylight.models.readers.keras_layers import is_allowed_keras_class
from straylight.models.readers.network import LoadedNetwork, ProgramNetwork
from straylight.models.readers.torch_archive import read_records
from straylight.models.readers.trial import answer_fault, try_in_subprocess
from straylight.models.size_limit import TensorSizeLimit

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {CONFIG, "metadata.json", WEIGHTS}
LARGEST_SETTING = 2**20  # largest value of a layer's setting
UNBOUNDED = {"seed", "value", "shared_object_id"}  # settings that are not sizes


class KerasNetwork(nn.Module):
    """A Keras model that takes images (N, C, H, W)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        shape: Any = model.input_shape
        self.last = _is_channels_last(shape)

    def forward(self, images: Tensor) -> object:
        return self.model(images.permute(0, 2, 3, 1) if self.last else images, training=False)


def _is_channels_last(shape: tuple[int | None, ...]) -> bool:
    """Return whether an input shape is (N, H, W, C)."""
    return shape[-1] in (1, RGB)


def read_keras(spec: str, options: ModelOptions) -> LoadedNetwork:
    """Read ``FILE.keras``.

    Raises:
        InputError: If it contains code or classes that are not listed, or cannot be built.
    """
    members = _read_checked_archive(spec)
    size = sum(map(len, members.values()))
    keras = import_keras(spec)
    try:
        with suppress_keras_warnings(), TemporaryDirectory() as folder, TensorSizeLimit(spec, size):
            # Keras gets the checked members, not the file.
            path = Path(folder) / "model.keras"
            with zipfile.ZipFile(path, "w") as archive:
                for name, content in members.items():
                    archive.writestr(name, content)
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except Exception as error:
        # Keras raises exceptions of all types.
        raise InputError(f"{spec} cannot be built by Keras ({reason_of(error)}).") from error
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise InputError(f"{spec} takes {quote_text(shape)}: a classifier takes a batch of images.")
    side = shape[1:3] if _is_channels_last(shape) else shape[2:]
    square = side[0] if side[0] == side[1] and side[0] else 0
    network = KerasNetwork(model)
    if pixels := options.size or square:
        depth = len(options.mean) or RGB
        try_in_subprocess(spec, lambda: answer_fault(network, (depth, pixels, pixels)), size)
    return LoadedNetwork(ProgramNetwork(network, members[CONFIG]), size=square)


def _read_checked_archive(spec: str) -> dict[str, bytes]:
    """Read the members of a .keras file after checking that all its classes are listed."""
    members = read_records(Path(spec))
    if set(members) != MEMBERS:
        raise InputError(
            f"{spec} does not contain exactly a network and its weights ({join_names(members, 5)}), and is "
            "not read."
        )
    try:
        config = parse_json(members[CONFIG].decode("utf-8"))
        if not isinstance(config, dict):
            raise ValueError("its configuration is not a table")
        config = {k: v for k, v in config.items() if k != "compile_config"}
        members[CONFIG] = json.dumps(config).encode()
        members["metadata.json"] = json.dumps(
            parse_json(members["metadata.json"].decode())
        ).encode()
        for table in iterate_tables(config):
            _check_keras_class(spec, table)
            _check_setting_sizes(spec, table)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{spec} is not a .keras file ({reason_of(error)}): save it again."
        ) from error
    check_hdf5(spec, io.BytesIO(members[WEIGHTS]))
    return members


def _check_keras_class(spec: str, table: dict[str, Any]) -> None:
    """Raise if a class, function or closure is not listed as harmless."""
    if "class_name" not in table and "module" not in table:
        return
    name, module = str(table.get("class_name")), table.get("module")
    if not is_allowed_keras_class(name, module, table.get("config")) or table.get(
        "registered_name"
    ) not in (
        None,
        name,
    ):
        full = f"{module}.{name}" if module else name
        raise InputError(
            f"{spec} contains {quote_text(full)}, which can run code or read files, or is not known to be "
            "harmless, and is not read: use Keras layers for images, or give python:MODULE:FUNCTION."
        )


def _check_setting_sizes(spec: str, table: dict[str, Any]) -> None:
    """Raise if a setting is larger than any network needs."""
    for key, value in table.items():
        for item in value if isinstance(value, list) else [value]:
            if (
                isinstance(item, int | float)
                and abs(item) > LARGEST_SETTING
                and key not in UNBOUNDED
            ):
                raise InputError(
                    f"{spec} has {quote_text(key)} = {item:g}, which no network needs, and is not read."
                )


def import_keras(spec: str) -> ModuleType:
    """Import Keras with its torch backend, on the CPU."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
        os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")
    try:
        with suppress_keras_warnings():
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
def suppress_keras_warnings() -> Iterator[None]:
    """Suppress Keras' deprecation warnings about numpy, which users cannot fix."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
