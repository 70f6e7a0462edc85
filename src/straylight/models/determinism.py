"""Whether an image gets one answer: the same when asked again, and beside any other images."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from straylight.core.tensors import Images, Logits, Shape
from straylight.models.memory_format import differ

IN_UNIT_RANGE = ("probabilities", "one-probability")  # whose logits magnify rounding near 0 and 1
BRIGHTNESS = (1.0, 0.2, 0.6)  # of three images, so that their answers differ


def unsteady(ask: Callable[[Images], Logits], network: nn.Module, shape: Shape) -> str:
    """Return what keeps images from having one answer each, or nothing.

    Eleven image passes. What changes at the first call, as a cache does, is let be.

    Args:
        ask: Images in [0, 1] to logits, or to what is compared of them.
        network: That `ask` runs.
        shape: Of the images.
    """
    generator = torch.Generator().manual_seed(0)
    levels = torch.tensor(BRIGHTNESS).view(-1, 1, 1, 1)
    images = torch.rand(len(BRIGHTNESS), *shape, generator=generator) * levels
    first, weights = ask(images), sums(network)
    alone = torch.cat([ask(image[None]) for image in images])
    ask(images[:2])  # so that what alternates is asked after an odd number of calls
    again = ask(images)
    if sums(network) != weights:
        return "changes its weights as it is called"
    if differ(first, again):
        return "gives other answers when it is asked again for the same images"
    if differ(first, alone):
        return "gives an image another answer alone than beside others: a row depends on its batch"
    return ""


def sums(network: nn.Module) -> dict[str, int]:
    """Return the sum of the bits of each of a network's weights: another if one is changed."""
    return {
        name: int(value.contiguous().view(torch.int32).sum())
        for name, value in network.state_dict().items()
        if isinstance(value, Tensor)
        and value.dtype == torch.float32
        and value.layout == torch.strided
    }
