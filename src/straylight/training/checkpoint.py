"""The state of an unfinished training: weights, best weights, momentum and history as safetensors."""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from straylight.core.bounded_read import check_regular_status
from straylight.core.errors import InputError, reason_of
from straylight.core.strict_json import parse_json
from straylight.core.tensor_files import write_tensors

Tensors = dict[str, Tensor]
History = list[dict[str, float]]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state that a training resumes from.

    Attributes:
        identity: Everything that the training depends on, as JSON.
        history: ``loss`` and ``validation_accuracy`` of each finished epoch.
        network: The weights after the last epoch.
        best: The weights of the best epoch.
        momentum: The optimiser's, for each parameter.
    """

    identity: str
    history: History
    network: Tensors
    best: Tensors
    momentum: Tensors

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        parts = {name: getattr(self, name) for name in PARTS}
        tensors = {
            f"{part}.{name}": tensor.contiguous()
            for part, named in parts.items()
            for name, tensor in named.items()
        }
        texts = {"identity": self.identity, "history": json.dumps(self.history)}
        write_tensors(path, tensors, texts | {"sha256": digest_checkpoint(texts, tensors)})

    def check_fits(self, network: nn.Module, path: Path) -> None:
        """Check that the checkpoint fits a network.

        Raises:
            InputError: If it does not.
        """
        state = _tensor_shapes(network.state_dict())
        parameters = _tensor_shapes(dict(network.named_parameters()))
        if not (_tensor_shapes(self.network) == _tensor_shapes(self.best) == state) or not (
            _tensor_shapes(self.momentum).items() <= parameters.items()
        ):
            raise InputError(
                f"{path} is broken (it has other tensors): delete it to train again from the start."
            )


PARTS = [field.name for field in fields(Checkpoint) if field.type is Tensors]


def _tensor_shapes(tensors: Tensors) -> dict[str, tuple[object, ...]]:
    """Return the type and the shape of each tensor."""
    return {name: (tensor.dtype, *tensor.shape) for name, tensor in tensors.items()}


def digest_checkpoint(texts: dict[str, str], tensors: Tensors) -> str:
    """Compute the digest of a checkpoint's content, which safetensors itself does not check."""
    digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: If it is broken.
    """
    try:
        check_regular_status(path.stat())
        with safe_open(path, framework="pt") as stream:
            texts = dict(stream.metadata() or {})
        tensors = load_file(path)
        if texts.pop("sha256") != digest_checkpoint(texts, tensors):
            raise ValueError("its content does not match its digest")
        history = parse_json(texts["history"])
        if not all(set(map(type, entry.values())) <= {float, int} for entry in history):
            raise ValueError("its history has something else than numbers")
        if not all({"loss", "validation_accuracy"} <= entry.keys() for entry in history):
            raise ValueError("its history lacks figures")
        parts = {part: _strip_prefix(tensors, f"{part}.") for part in PARTS}
        return Checkpoint(texts["identity"], history, **parts)
    except (
        SafetensorError,
        OSError,
        LookupError,
        ValueError,
        AttributeError,
        TypeError,
        RuntimeError,
    ) as error:
        # The last three if the history is other JSON, or a type of number has no bytes.
        raise InputError(
            f"{path} is broken ({reason_of(error)}): delete it to train again from the start."
        ) from error


def _strip_prefix(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
