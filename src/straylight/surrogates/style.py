"""A transformation of photographs with few numbers: colours, brightness and spectrum."""

import math

import torch
from torch import Tensor, nn

from straylight.tensors import Images, Shape


class Style(nn.Module):
    r"""Give photographs other colours, brightness and sharpness.

    .. math:: T(x) = \mathrm{clip}\bigl(M\,(g * x) + b,\ 0,\ 1\bigr)

    :math:`M` mixes the channels, :math:`b` is an offset for each, and the filter :math:`g` has a gain
    for each of `bands` octave-like rings of spatial frequency (the mean is left alone). It begins as
    the identity.

    Args:
        shape: Of the images.
        bands: Number of rings, from one cycle an image to the corner of the spectrum.
    """

    def __init__(self, shape: Shape, bands: int = 8) -> None:
        super().__init__()
        channels, height, width = shape
        self.colours = nn.Parameter(torch.eye(channels))
        self.offset = nn.Parameter(torch.zeros(channels))
        self.log_gains = nn.Parameter(torch.zeros(bands))
        self.rings: Tensor
        self.register_buffer("rings", rings(height, width, bands))

    def forward(self, images: Images) -> Images:
        spectrum = torch.fft.rfft2(images) * (self.rings @ self.log_gains).exp()
        filtered = torch.fft.irfft2(spectrum, s=images.shape[-2:])
        mixed = torch.einsum("ij,njhw->nihw", self.colours, filtered)
        return (mixed + self.offset[:, None, None]).clamp(0, 1)


def rings(height: int, width: int, bands: int) -> Tensor:
    """Weights (H, W // 2 + 1, bands) that interpolate gains between frequencies on a log scale.

    The mean's weights are all zero, those of any other frequency sum to one.
    """
    down = torch.fft.fftfreq(height)[:, None] * height
    across = torch.fft.rfftfreq(width)[None, :] * width
    radius = torch.hypot(down, across)
    place = radius.clamp(min=1).log() / math.log(math.hypot(height, width) / 2) * (bands - 1)
    weights = (1 - (place[..., None] - torch.arange(bands)).abs()).clamp(min=0)
    weights[0, 0] = 0
    return weights
