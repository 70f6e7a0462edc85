"""Weights files: safetensors, never a pickle."""

from os.path import isfile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from straylight.backbones import AUXILIARY, head_prefixes
from straylight.errors import InputError, quoted, reason_of


def load_weights(network: nn.Module, path: Path, *, new_head: bool = False) -> None:
    """Load a safetensors state dict (never a pickle).

    Args:
        network: The network to fill.
        path: The weights file.
        new_head: Leave the network's classification head as it is: the file's may have other classes.

    Raises:
        InputError: If the file is missing, is not safetensors, or does not fit.
    """
    if not isfile(path):
        raise InputError(f"{path} does not exist: give a .safetensors file.")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, KeyError) as error:
        # A KeyError for a number format that torch has no name for.
        raise InputError(
            f"{path} is not a safetensors file ({reason_of(error)}); pickled checkpoints are never loaded, "
            "since they can run code: convert it with safetensors.torch.save_file."
        ) from error
    target = network.state_dict()
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
        if tensor.is_complex() or not tensor.float().isfinite().all():
            raise InputError(
                f"{path} holds values that are no finite numbers (first: {quoted(name)}): export it again."
            )
    network.load_state_dict(weights)
