"""Check that logits are reproducible: the same when repeated, and independent of the rest of the batch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from straylight.core.conventions import Shape
from straylight.core.tensors import Images, Logits
from straylight.models.memory_format import differs_materially

# Their logits magnify rounding near 0 and 1.
PROBABILITY_KINDS = ("probabilities", "one-probability")
BRIGHTNESS = (1.0, 0.2, 0.6)  # of three images, so that their logits differ


def find_nondeterminism(
    compute: Callable[[Images], Logits], network: nn.Module, shape: Shape
) -> str:
    """Return why the logits of an image are not reproducible ("": they are).

    Needs eleven image passes. Changes during the first call, such as filling a cache, are allowed.

    Args:
        compute: Maps images in [0, 1] to the outputs to compare.
        network: The network that `compute` runs.
        shape: Shape of the images.
    """
    generator = torch.Generator().manual_seed(0)
    levels = torch.tensor(BRIGHTNESS).view(-1, 1, 1, 1)
    images = torch.rand(len(BRIGHTNESS), *shape, generator=generator) * levels
    first, weights = compute(images), _weight_checksums(network)
    alone = torch.cat([compute(image[None]) for image in images])
    compute(images[:2])  # so that an alternating network is repeated after an odd number of calls
    again = compute(images)
    if _weight_checksums(network) != weights:
        return "changes its weights when it is called"
    if differs_materially(first, again):
        return "gives other outputs when it is run again on the same images"
    if differs_materially(first, alone):
        return "gives other outputs for an image alone than in a batch"
    return ""


def _weight_checksums(network: nn.Module) -> dict[str, int]:
    """Return a checksum of each float32 tensor of a network."""
    return {
        name: int(value.contiguous().view(torch.int32).sum())
        for name, value in network.state_dict().items()
        if isinstance(value, Tensor)
        and value.dtype == torch.float32
        and value.layout == torch.strided
    }
