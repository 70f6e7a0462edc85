"""Load weights from safetensors files, single or sharded; pickles are never loaded."""

import re
from collections.abc import Iterable
from os.path import isfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from straylight.core.errors import InputError, join_names, quote_text, reason_of
from straylight.core.strict_json import read_json
from straylight.models.backbones import AUXILIARY_PREFIXES, head_prefixes

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"\w[\w.-]*\.safetensors", re.ASCII)
MOST_SHARDS = 1_000
# Prefixes added by wrappers: torch's DataParallel and compile, training frameworks, transformers.
PREFIXES = ("module.", "model.", "_orig_mod.", "timm_model.")
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}

Weights = dict[str, Tensor]


def load_weights(network: nn.Module, path: Path, *, new_head: bool = False) -> tuple[str, ...]:
    """Load a safetensors state dict into a network (never a pickle).

    Args:
        network: The network to fill.
        path: The weights file, the shard index, or a folder with one of these.
        new_head: Keep the network's own classification layer: the file's may have other classes.

    Returns:
        Notes for the user about what was changed.

    Raises:
        InputError: If the file is missing, is not safetensors, or does not fit.
    """
    target = network.state_dict()
    weights, notes = strip_wrapper_prefixes(read_weights(path), target)
    weights = {
        n: w for n, w in weights.items() if n in target or not n.startswith(AUXILIARY_PREFIXES)
    }
    if new_head:
        head = head_prefixes(network)
        weights = {name: w for name, w in weights.items() if not name.startswith(head)}
        weights |= {name: w for name, w in target.items() if name.startswith(head)}
    # Batch norm counters are not always exported, and do not affect the outputs.
    weights = {n: w for n, w in target.items() if n.endswith("num_batches_tracked")} | weights
    wrong = [n for n in target if n not in weights or weights[n].shape != target[n].shape]
    wrong += [name for name in weights if name not in target]
    if wrong:
        raise InputError(
            f"{path} does not fit the architecture: {len(wrong)} tensors are missing, unexpected or of "
            f"another shape (first: {quote_text(wrong[0])})."
        )
    for name, tensor in weights.items():
        if target[name].is_floating_point() and tensor.dtype not in FLOATS:
            raise InputError(
                f"{path} holds {quote_text(name)} as {str(tensor.dtype).removeprefix('torch.')}, not "
                "as float32: give the weights in float32."
            )
    network.load_state_dict(weights)
    return (*notes, *note_dtype_conversions(weights.values()))


def note_dtype_conversions(tensors: Iterable[Tensor]) -> tuple[str, ...]:
    """Return a note for the user if weights are converted to float32 (else nothing)."""
    kinds = {str(t.dtype).removeprefix("torch.") for t in tensors if t.is_floating_point()}
    kinds -= {"float32"}
    return (f"weights of type {join_names(sorted(kinds))} are used as float32",) if kinds else ()


def read_weights(path: Path) -> Weights:
    """Read a weights file, the shards of an index, or the weights in a folder.

    Raises:
        InputError: If it is missing, is not safetensors, or contains values that are not finite.
    """
    if path.is_dir():
        path = path / (WEIGHTS if isfile(path / WEIGHTS) else INDEX)
    if not isfile(path):
        raise InputError(f"{path} does not exist: give a .safetensors file.")
    if not path.name.endswith(".index.json"):
        return _read_safetensors(path)
    weights: Weights = {}
    places = _read_shard_index(path)
    files = {shard: _shard_path(path.parent, shard) for shard in sorted(set(places.values()))}
    for shard, file in files.items():
        part = _read_safetensors(file)
        if not all(places.get(name) == shard for name in part):
            raise InputError(
                f"{path} does not list all tensors in {shard}: save the weights again."
            )
        weights |= part
    if missing := places.keys() - weights.keys():
        raise InputError(
            f"{path} lists {join_names(sorted(missing), 3)}, which its shards do not contain: save the "
            "weights again."
        )
    return weights


def _read_shard_index(path: Path) -> dict[str, str]:
    """Read a shard index: the file name of each tensor's shard."""
    try:
        places: Any = read_json(path)["weight_map"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a shard index ({reason_of(error)}).") from error
    plain = isinstance(places, dict) and all(isinstance(s, str) for s in places.values())
    shards = sorted(set(places.values())) if plain else []
    if not shards or len(shards) > MOST_SHARDS or not all(map(SHARD.fullmatch, shards)):
        raise InputError(
            f"{path} is not a shard index: it names {join_names(shards, 3) or 'no shards'}, where "
            ".safetensors files beside it are needed."
        )
    found: dict[str, str] = places
    return found


def _shard_path(folder: Path, name: str) -> Path:
    """Return the path of a shard; it must be in the folder or in the blob store of the hub's cache."""
    place = (folder / name).resolve()
    store = folder.resolve().parent.parent / "blobs"
    if place.parent not in (folder.resolve(), store):
        raise InputError(f"{folder / name} links outside the folder, and is not read.")
    if not isfile(place):
        raise InputError(f"{folder / name} does not exist: the index beside it needs it.")
    return folder / name


def _read_safetensors(path: Path) -> Weights:
    """Read one safetensors file."""
    if not isfile(path):
        raise InputError(f"{path} does not exist: give a .safetensors file.")
    try:
        weights: Weights = load_file(path)
    except (SafetensorError, OSError, KeyError) as error:
        # A KeyError: a dtype that torch does not have.
        raise InputError(
            f"{path} is not a safetensors file ({reason_of(error)}); pickled checkpoints are never loaded, "
            "since they can run code: convert it with safetensors.torch.save_file."
        ) from error
    for name, tensor in weights.items():
        if tensor.is_complex() or not tensor.float().isfinite().all():
            raise InputError(
                f"{path} contains values that are not finite (first: {quote_text(name)}): export it again."
            )
    return weights


def strip_wrapper_prefixes(
    weights: Weights, target: Iterable[str] = ()
) -> tuple[Weights, tuple[str, ...]]:
    """Remove the prefix that a wrapper added to all names; return the weights and a note for the user.

    Args:
        weights: Tensors by name.
        target: Names of the network's own tensors, whose prefixes are kept.
    """
    wanted, taken = set(target), ""
    while weights and not wanted & weights.keys():
        found = [p for p in PREFIXES if all(n.startswith(p) and len(n) > len(p) for n in weights)]
        if not found:
            break
        taken += found[0]
        weights = {name.removeprefix(found[0]): tensor for name, tensor in weights.items()}
    return weights, (
        f"the prefix '{taken}' was removed from the names of all weights",
    ) if taken else ()
