"""Weights files: safetensors, whole or in shards, never a pickle."""

import re
from collections.abc import Iterable
from os.path import isfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from straylight.core.errors import InputError, listed, quoted, reason_of
from straylight.core.strict_json import read_json
from straylight.models.backbones import AUXILIARY, head_prefixes

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"\w[\w.-]*\.safetensors", re.ASCII)
MOST_SHARDS = 1_000
# What wrappers put before each name: torch's DataParallel and compile, training frameworks, transformers.
PREFIXES = ("module.", "model.", "_orig_mod.", "timm_model.")
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}

Weights = dict[str, Tensor]


def load_weights(network: nn.Module, path: Path, *, new_head: bool = False) -> tuple[str, ...]:
    """Load a safetensors state dict (never a pickle).

    Args:
        network: The network to fill.
        path: The weights file, the index of shards, or a folder with one of these.
        new_head: Leave the network's classification head as it is: the file's may have other classes.

    Returns:
        What was changed on the way, for the user.

    Raises:
        InputError: If the file is missing, is not safetensors, or does not fit.
    """
    target = network.state_dict()
    weights, notes = without_prefixes(read_weights(path), target)
    weights = {n: w for n, w in weights.items() if n in target or not n.startswith(AUXILIARY)}
    if new_head:
        head = head_prefixes(network)
        weights = {name: w for name, w in weights.items() if not name.startswith(head)}
        weights |= {name: w for name, w in target.items() if name.startswith(head)}
    # The counters of batch norm are not always exported and do not change what a network computes.
    weights = {n: w for n, w in target.items() if n.endswith("num_batches_tracked")} | weights
    wrong = [n for n in target if n not in weights or weights[n].shape != target[n].shape]
    wrong += [name for name in weights if name not in target]
    if wrong:
        raise InputError(
            f"{path} does not fit the architecture: {len(wrong)} tensors are missing, left over or of "
            f"another shape (first: {quoted(wrong[0])})."
        )
    for name, tensor in weights.items():
        if target[name].is_floating_point() and tensor.dtype not in FLOATS:
            raise InputError(
                f"{path} holds {quoted(name)} as {str(tensor.dtype).removeprefix('torch.')}, not "
                "as float32: give the weights in float32."
            )
    network.load_state_dict(weights)
    return (*notes, *conversions(weights.values()))


def conversions(tensors: Iterable[Tensor]) -> tuple[str, ...]:
    """Return a note for the user if weights are converted to float32."""
    kinds = {str(t.dtype).removeprefix("torch.") for t in tensors if t.is_floating_point()}
    kinds -= {"float32"}
    return (f"weights of type {listed(sorted(kinds))} are used as float32",) if kinds else ()


def read_weights(path: Path) -> Weights:
    """Read a weights file, the shards of an index, or what a folder has of these.

    Raises:
        InputError: If it is missing, is not safetensors, or holds values that are not finite.
    """
    if path.is_dir():
        path = path / (WEIGHTS if isfile(path / WEIGHTS) else INDEX)
    if not isfile(path):
        raise InputError(f"{path} does not exist: give a .safetensors file.")
    if not path.name.endswith(".index.json"):
        return read_file(path)
    weights: Weights = {}
    places = read_index(path)
    files = {shard: shard_of(path.parent, shard) for shard in sorted(set(places.values()))}
    for shard, file in files.items():
        part = read_file(file)
        if not all(places.get(name) == shard for name in part):
            raise InputError(
                f"{path} does not list all that {shard} holds: save the weights again."
            )
        weights |= part
    if missing := places.keys() - weights.keys():
        raise InputError(
            f"{path} lists {listed(sorted(missing), 3)}, which its shards do not hold."
        )
    return weights


def read_index(path: Path) -> dict[str, str]:
    """Return the shard of each tensor."""
    try:
        places: Any = read_json(path)["weight_map"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not an index of shards ({reason_of(error)}).") from error
    plain = isinstance(places, dict) and all(isinstance(s, str) for s in places.values())
    shards = sorted(set(places.values())) if plain else []
    if not shards or len(shards) > MOST_SHARDS or not all(map(SHARD.fullmatch, shards)):
        raise InputError(
            f"{path} is not an index of shards: it names {listed(shards, 3) or 'none'}, where .safetensors "
            "files beside it are needed."
        )
    found: dict[str, str] = places
    return found


def shard_of(folder: Path, name: str) -> Path:
    """Return the file of a shard, which lies in the folder itself, or in the store of the hub's cache."""
    place = (folder / name).resolve()
    store = folder.resolve().parent.parent / "blobs"
    if place.parent not in (folder.resolve(), store):
        raise InputError(f"{folder / name} leads out of the folder, and is not read.")
    if not isfile(place):
        raise InputError(f"{folder / name} does not exist: the index beside it needs it.")
    return folder / name


def read_file(path: Path) -> Weights:
    """Read one file."""
    if not isfile(path):
        raise InputError(f"{path} does not exist: give a .safetensors file.")
    try:
        weights: Weights = load_file(path)
    except (SafetensorError, OSError, KeyError) as error:
        # A KeyError for a number format that torch has no name for.
        raise InputError(
            f"{path} is not a safetensors file ({reason_of(error)}); pickled checkpoints are never loaded, "
            "since they can run code: convert it with safetensors.torch.save_file."
        ) from error
    for name, tensor in weights.items():
        if tensor.is_complex() or not tensor.float().isfinite().all():
            raise InputError(
                f"{path} holds values that are no finite numbers (first: {quoted(name)}): export it again."
            )
    return weights


def without_prefixes(
    weights: Weights, target: Iterable[str] = ()
) -> tuple[Weights, tuple[str, ...]]:
    """Return weights without what wrappers put before all their names, and a note that says so.

    Args:
        weights: Tensors by their names.
        target: Names of the network's own tensors: what they begin with stays.
    """
    wanted, taken = set(target), ""
    while weights and not wanted & weights.keys():
        found = [p for p in PREFIXES if all(n.startswith(p) and len(n) > len(p) for n in weights)]
        if not found:
            break
        taken += found[0]
        weights = {name.removeprefix(found[0]): tensor for name, tensor in weights.items()}
    return weights, (f"'{taken}' was taken off the names of all weights",) if taken else ()
