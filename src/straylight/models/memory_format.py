"""The order of images in memory that a network works in: channels last, or as torch has it.

Convolutions are faster with the channels last. Some networks cannot be run so: they flatten with
``x.view(len(x), -1)``, as tutorials do, or look at strides.
"""

import re

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.tensors import Images

LAST, PLAIN = torch.channels_last, torch.contiguous_format
MATERIAL = 1e-3  # of the largest output: far above rounding
DTYPES = re.compile(r"Half|BFloat16|Float16|Double|dtype|same type|expected scalar type", re.I)
INTERPRETER = "The following operation failed in the TorchScript interpreter"


def choose_layout(network: nn.Module, images: Images) -> torch.memory_format:
    """Return the layout that a network works in, and bring its weights to it.

    Channels last, unless the network fails so, or gives materially other outputs than without; where it
    fails both ways, the caller will meet the error.

    Args:
        network: Its weights are brought to each layout in turn.
        images: Two or more, as the network takes them.
    """
    found = {layout: outputs_in(network, images, layout) for layout in (PLAIN, LAST)}
    chosen = LAST
    if (expected := found[PLAIN]) is not None:
        other = found[LAST]
        if other is None or other.shape != expected.shape or differ(expected, other):
            chosen = PLAIN
    network.to(memory_format=chosen)
    return chosen


def outputs_in(network: nn.Module, images: Images, layout: torch.memory_format) -> Tensor | None:
    """Return all floating-point outputs in a row, or None if the network cannot be run so."""
    network.to(memory_format=layout)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            found: list[Tensor] = []
            collect(network(images.contiguous(memory_format=layout)), found)
        except (Exception, SystemExit):
            # Networks of other libraries and of users raise what they like.
            return None
    return torch.cat(found) if found else torch.zeros(0)


def collect(outputs: object, found: list[Tensor], depth: int = 0) -> None:
    """Append the floating-point tensors of any nesting of containers."""
    if isinstance(outputs, Tensor):
        if outputs.is_floating_point() and outputs.layout == torch.strided:
            found.append(outputs.detach().float().cpu().flatten())
    elif depth < 4 and isinstance(outputs, dict | tuple | list):
        for part in outputs.values() if isinstance(outputs, dict) else outputs:
            collect(part, found, depth + 1)


def differ(one: Tensor, other: Tensor) -> bool:
    """Return whether outputs differ by more than rounding; NaN in the same places does not."""
    both = one.isfinite() & other.isfinite()
    if not torch.equal(one.isfinite(), other.isfinite()):
        return True
    one, other = one[both], other[both]
    return bool(((one - other).abs() > MATERIAL * one.abs().max()).any()) if len(one) else False


def freeze(network: object, said: str = "the network") -> tuple[str, ...]:
    """Put a network in evaluation mode and float32, without gradients of its own.

    Returns:
        What was changed that its user should know.

    Raises:
        InputError: If it cannot be.
    """
    if not isinstance(network, nn.Module):
        raise InputError(
            f"a classifier is made of a torch.nn.Module, not of {type(network).__name__}: give the "
            "network itself."
        )
    tensors = [*network.parameters(), *network.buffers()]
    if any(is_lazy(tensor) for tensor in tensors):
        raise InputError(
            f"{said} has parameters without a shape (lazy modules): load its weights, or call it on "
            "images once, before it is wrapped."
        )
    if elsewhere := {tensor.device.type for tensor in tensors} - {"cpu"}:
        raise InputError(
            f"{said} has parameters on {', '.join(sorted(elsewhere))}: move it with network.to('cpu')."
        )
    others = {t.dtype for t in tensors if t.is_floating_point()} - {torch.float32}
    try:
        network.train(False)
        network.requires_grad_(False)
        if others:
            network.float()
    except Exception as error:
        # Networks of other libraries and of users raise what they like.
        raise InputError(
            f"{said} cannot be put in evaluation mode and frozen in float32: {reason_of(error)}."
        ) from error
    names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in others))
    return (f"its weights were converted from {names} to float32.",) if others else ()


def call(said: str, network: nn.Module, images: Images) -> object:
    """Return what a network gives for images.

    Raises:
        InputError: If it fails, in one sentence about what is `said`.
    """
    try:
        return network(images)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        # Networks of other libraries and of users raise what they like.
        left_on = left_in_training(network)
        raise InputError(
            f"{said} cannot take images of shape {tuple(images.shape[1:])} in a batch of {len(images)}: "
            f"{why(error)}{f' ({left_on})' if left_on else ''}."
        ) from error


def left_in_training(network: nn.Module) -> str:
    """Name the layers that are in training mode although the network was put in evaluation mode."""
    layers = [
        f"{type(module).__name__} {name}".strip()
        for name, module in network.named_modules()
        if module.training and not list(module.children())
    ]
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    verb = "stays" if len(layers) == 1 else "stay"
    return f"{', '.join(layers[:3])}{more} {verb} in training mode" if layers else ""


def why(error: BaseException) -> str:
    """Return the line of an error that says most, with a hint where number formats do not match.

    >>> why(RuntimeError("mat1 and mat2 must have the same dtype, but got Float and Half"))[-29:]
    '(give the network in float32)'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = "it ends the process" if isinstance(error, SystemExit) else reason_of(error)
    if lines and lines[0].startswith(INTERPRETER):
        said = quoted(lines[-1].removeprefix("RuntimeError: ").rstrip("."), 120)
    hint = " (give the network in float32)" if DTYPES.search(str(error)) else ""
    return said + hint
