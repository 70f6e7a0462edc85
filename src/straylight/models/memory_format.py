"""Choose the memory format in which a network is run: channels last, or contiguous.

Convolutions are faster with channels last. Some networks fail with it: they flatten with
``x.view(len(x), -1)``, as tutorials do, or use strides.
"""

import torch
from torch import Tensor, nn

from straylight.core.tensors import Images

CHANNELS_LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format
DIFFERENCE_TOLERANCE = 1e-3  # of the largest output: far above rounding


def choose_layout(network: nn.Module, images: Images) -> torch.memory_format:
    """Return the memory format for a network, and convert its weights to it.

    Channels last, unless the network fails with it or gives materially different outputs. If it fails with
    both formats, the caller will meet the error.

    Args:
        network: Its weights are converted to each format in turn.
        images: Two or more normalised images.
    """
    found = {
        layout: _outputs_in_layout(network, images, layout)
        for layout in (CONTIGUOUS, CHANNELS_LAST)
    }
    chosen = CHANNELS_LAST
    if (expected := found[CONTIGUOUS]) is not None:
        other = found[CHANNELS_LAST]
        if other is None or other.shape != expected.shape or differs_materially(expected, other):
            chosen = CONTIGUOUS
    network.to(memory_format=chosen)
    return chosen


def _outputs_in_layout(
    network: nn.Module, images: Images, layout: torch.memory_format
) -> Tensor | None:
    """Return all floating-point outputs as one vector, or None if the network fails in this format."""
    network.to(memory_format=layout)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            found: list[Tensor] = []
            _collect_tensors(network(images.contiguous(memory_format=layout)), found)
        except (Exception, SystemExit):
            # Third-party networks may raise anything.
            return None
    return torch.cat(found) if found else torch.zeros(0)


def _collect_tensors(outputs: object, found: list[Tensor], depth: int = 0) -> None:
    """Append the floating-point tensors of nested containers to `found`."""
    if isinstance(outputs, Tensor):
        if outputs.is_floating_point() and outputs.layout == torch.strided:
            found.append(outputs.detach().float().cpu().flatten())
    elif depth < 4 and isinstance(outputs, dict | tuple | list):
        for part in outputs.values() if isinstance(outputs, dict) else outputs:
            _collect_tensors(part, found, depth + 1)


def differs_materially(one: Tensor, other: Tensor) -> bool:
    """Return whether outputs differ by more than rounding; NaN in the same places is equal."""
    both = one.isfinite() & other.isfinite()
    if not torch.equal(one.isfinite(), other.isfinite()):
        return True
    one, other = one[both], other[both]
    return (
        bool(((one - other).abs() > DIFFERENCE_TOLERANCE * one.abs().max()).any())
        if len(one)
        else False
    )
