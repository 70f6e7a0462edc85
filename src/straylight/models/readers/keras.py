"""Keras 3 models (.keras), on its torch backend."""

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

from straylight.core.errors import InputError, listed, quoted, reason_of
from straylight.core.strict_json import parse_json
from straylight.data.images import RGB
from straylight.models.readers.export_checks import tables
from straylight.models.readers.hdf5 import check_hdf5
from straylight.models.readers.keras_layers import is_listed
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.readers.program import Program
from straylight.models.readers.torch_archive import read_records
from straylight.models.readers.trial import try_apart, wrong_answers
from straylight.models.size_limit import Budget

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {CONFIG, "metadata.json", WEIGHTS}
NUMBER = 2**20  # the largest that a setting of a layer may be
UNBOUNDED = {"seed", "value", "shared_object_id"}  # these size nothing


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
    """Return whether images are (N, H, W, C)."""
    return shape[-1] in (1, RGB)


def read_keras(spec: str, options: ModelOptions) -> Brought:
    """Read ``FILE.keras``.

    Raises:
        InputError: If it holds code or classes that are not listed, or cannot be built.
    """
    members = check_archive(spec)
    size = sum(map(len, members.values()))
    keras = import_keras(spec)
    try:
        with quiet(), TemporaryDirectory() as folder, Budget(spec, size):
            # Keras gets the members that were checked, not the file.
            path = Path(folder) / "model.keras"
            with zipfile.ZipFile(path, "w") as archive:
                for name, content in members.items():
                    archive.writestr(name, content)
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except Exception as error:
        # Keras raises kinds of all sorts.
        raise InputError(f"{spec} cannot be built by Keras ({reason_of(error)}).") from error
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise InputError(f"{spec} takes {quoted(shape)}: a classifier takes a batch of images.")
    side = shape[1:3] if channels_last(shape) else shape[2:]
    square = side[0] if side[0] == side[1] and side[0] else 0
    network = ChannelsLast(model)
    if pixels := options.size or square:
        depth = len(options.mean) or RGB
        try_apart(spec, lambda: wrong_answers(network, (depth, pixels, pixels)), size)
    return Brought(Program(network, members[CONFIG]), size=square)


def check_archive(spec: str) -> dict[str, bytes]:
    """Return the members of a .keras file, if all its classes are listed."""
    members = read_records(Path(spec))
    if set(members) != MEMBERS:
        raise InputError(
            f"{spec} holds more than a network and its weights, or not these "
            f"({listed(members, 5)}), and is not read."
        )
    try:
        config = parse_json(members[CONFIG].decode("utf-8"))
        if not isinstance(config, dict):
            raise ValueError("its configuration is no table")
        config = {k: v for k, v in config.items() if k != "compile_config"}
        members[CONFIG] = json.dumps(config).encode()
        members["metadata.json"] = json.dumps(
            parse_json(members["metadata.json"].decode())
        ).encode()
        for table in tables(config):
            check_class(spec, table)
            check_numbers(spec, table)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{spec} is no .keras file ({reason_of(error)}): save it again."
        ) from error
    check_hdf5(spec, io.BytesIO(members[WEIGHTS]))
    return members


def check_class(spec: str, table: dict[str, Any]) -> None:
    """Refuse a class, function or closure that is not listed as harmless."""
    if "class_name" not in table and "module" not in table:
        return
    name, module = str(table.get("class_name")), table.get("module")
    if not is_listed(name, module, table.get("config")) or table.get("registered_name") not in (
        None,
        name,
    ):
        full = f"{module}.{name}" if module else name
        raise InputError(
            f"{spec} holds {quoted(full)}, which can run code or read files, or is not known to be "
            "harmless, and is not read: use layers of Keras for images, or give python:MODULE:FUNCTION."
        )


def check_numbers(spec: str, table: dict[str, Any]) -> None:
    """Raise if a setting is a number that no network needs."""
    for key, value in table.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int | float) and abs(item) > NUMBER and key not in UNBOUNDED:
                raise InputError(
                    f"{spec} has {quoted(key)} of {item:g}, which no network has, and is not read."
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
