"""The state of an unfinished training: weights, best weights, momentum and history as safetensors."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from straylight.errors import InputError, reason_of
from straylight.jsons import parse_json

Tensors = dict[str, Tensor]
History = list[dict[str, float]]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a training goes on from.

    Attributes:
        settings: Of the training, as JSON.
        data: Digest of its images.
        history: ``loss`` and ``validation_accuracy`` of each finished epoch.
        network: The weights after the last.
        best: Those of the best epoch.
        momentum: Of the optimiser, for each parameter.
    """

    settings: str
    data: str
    history: History
    network: Tensors
    best: Tensors
    momentum: Tensors

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        parts = {name: getattr(self, name) for name in PARTS}
        tensors = {
            f"{part}.{name}": tensor.contiguous()
            for part, named in parts.items()
            for name, tensor in named.items()
        }
        partial = path.with_name(path.name + ".partial")
        texts = {"settings": self.settings, "data": self.data, "history": json.dumps(self.history)}
        save_file(tensors, partial, texts)
        partial.replace(path)

    def check_fits(self, network: nn.Module, path: Path) -> None:
        """See that it is of such a network.

        Raises:
            InputError: If not.
        """
        state, parameters = shapes(network.state_dict()), shapes(dict(network.named_parameters()))
        if not (shapes(self.network) == shapes(self.best) == state) or not (
            shapes(self.momentum).items() <= parameters.items()
        ):
            raise InputError(f"{path} is broken (its tensors are others): delete it to train anew.")


PARTS = [field.name for field in fields(Checkpoint) if field.type is Tensors]


def shapes(tensors: Tensors) -> dict[str, tuple[object, ...]]:
    """Return the kind and the shape of each tensor."""
    return {name: (tensor.dtype, *tensor.shape) for name, tensor in tensors.items()}


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: If it is broken.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            texts = dict(stream.metadata() or {})
        tensors = load_file(path)
        history = parse_json(texts["history"])
        if not all(set(map(type, entry.values())) <= {float, int} for entry in history):
            raise ValueError("its history holds no numbers")
        if not all({"loss", "validation_accuracy"} <= entry.keys() for entry in history):
            raise ValueError("its history lacks figures")
        parts = {part: strip(tensors, f"{part}.") for part in PARTS}
        return Checkpoint(texts["settings"], texts["data"], history, **parts)
    except (SafetensorError, OSError, LookupError, ValueError, AttributeError, TypeError) as error:
        # The last two where the history is other JSON.
        raise InputError(
            f"{path} is broken ({reason_of(error)}): delete it to train anew."
        ) from error


def strip(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
