"""Freeze a network in evaluation mode, and call it with errors that name the cause."""

import re

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.tensors import Images

DTYPE_ERRORS = re.compile(
    r"Half|BFloat16|Float16|Double|dtype|same type|expected scalar type", re.I
)
INTERPRETER = "The following operation failed in the TorchScript interpreter"


def freeze_network(network: object, model_name: str = "the network") -> tuple[str, ...]:
    """Put a network in evaluation mode, convert it to float32 and freeze its parameters.

    Returns:
        Notes for the user about what was changed.

    Raises:
        InputError: If that fails.
    """
    if not isinstance(network, nn.Module):
        raise InputError(
            f"a classifier needs a torch.nn.Module, not {type(network).__name__}: give the network itself."
        )
    tensors = [*network.parameters(), *network.buffers()]
    if any(is_lazy(tensor) for tensor in tensors):
        raise InputError(
            f"{model_name} has parameters without a shape (lazy modules): load its weights, or call it on "
            "images once, before it is wrapped."
        )
    if elsewhere := {tensor.device.type for tensor in tensors} - {"cpu"}:
        raise InputError(
            f"{model_name} has parameters on {', '.join(sorted(elsewhere))}: move it to the CPU with "
            "network.to('cpu')."
        )
    others = {t.dtype for t in tensors if t.is_floating_point()} - {torch.float32}
    try:
        network.train(False)
        network.requires_grad_(False)
        if others:
            network.float()
    except Exception as error:
        # Third-party networks may raise anything.
        raise InputError(
            f"{model_name} cannot be put in evaluation mode and frozen in float32: {reason_of(error)}."
        ) from error
    names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in others))
    return (f"its weights were converted from {names} to float32.",) if others else ()


def call_network(model_name: str, network: nn.Module, images: Images) -> object:
    """Return the outputs of a network for images.

    Raises:
        InputError: If it fails, in one sentence that begins with `model_name`.
    """
    try:
        return network(images)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        # Third-party networks may raise anything.
        left_on = layers_in_training_mode(network)
        raise InputError(
            f"{model_name} cannot take images of shape {tuple(images.shape[1:])} in a batch of "
            f"{len(images)}: {_explain_error(error)}{f' ({left_on})' if left_on else ''}."
        ) from error


def layers_in_training_mode(network: nn.Module) -> str:
    """Return a clause that names layers still in training mode ("": none)."""
    layers = [
        f"{type(module).__name__} {name}".strip()
        for name, module in network.named_modules()
        if module.training and not list(module.children())
    ]
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    verb = "stays" if len(layers) == 1 else "stay"
    return f"{', '.join(layers[:3])}{more} {verb} in training mode" if layers else ""


def _explain_error(error: BaseException) -> str:
    """Return the most informative line of an error, with a hint if dtypes do not match.

    >>> _explain_error(RuntimeError("mat1 and mat2 must have the same dtype, but got Float and Half"))[-29:]
    '(give the network in float32)'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = "it ends the process" if isinstance(error, SystemExit) else reason_of(error)
    if lines and lines[0].startswith(INTERPRETER):
        reason = quote_text(lines[-1].removeprefix("RuntimeError: ").rstrip("."), 120)
    hint = " (give the network in float32)" if DTYPE_ERRORS.search(str(error)) else ""
    return reason + hint
