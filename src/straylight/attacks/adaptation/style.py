"""A transform of photographs with few parameters: colours, brightness, spectrum and noise."""

import math

import torch
from torch import Tensor, nn

from straylight.core.conventions import Shape
from straylight.core.tensors import Images


class StyleTransform(nn.Module):
    r"""A transform of colours, brightness, sharpness, layers and grain.

    .. math:: T(x) = \mathrm{clip}\bigl(y + (a + s\,y)\,n\bigr), \qquad
              y = \mathrm{clip}\bigl(M\,(g * x) + b\bigr)

    :math:`M` mixes the channels and :math:`b` is an offset for each. The filter :math:`g` has two gains
    for each of `bands` octave-like rings of spatial frequency, one for frequencies that run down the
    image and one for those that run across it, to tell horizontal layers from vertical ones (the mean
    is not changed). :math:`n` is white noise, of strength :math:`a` everywhere and
    :math:`s` in proportion to the brightness (speckle). It begins as the identity, but for noise of
    one grey level.

    Args:
        shape: Shape of the images.
        bands: Number of rings, from one cycle per image to the corner of the spectrum.
    """

    def __init__(self, shape: Shape, bands: int = 8) -> None:
        super().__init__()
        channels, height, width = shape
        self.colours = nn.Parameter(torch.eye(channels))
        self.offset = nn.Parameter(torch.zeros(channels))
        self.log_gains = nn.Parameter(torch.zeros(2, bands))
        self.log_noise = nn.Parameter(torch.full((2,), math.log(1 / 255)))
        self.rings: Tensor
        self.register_buffer("rings", ring_weights(height, width, bands))

    def forward(self, images: Images, noise: Images) -> Images:
        """Transform images in [0, 1]; `noise` is standard normal."""
        log_gains = torch.einsum("hwdb,db->hw", self.rings, self.log_gains)
        spectrum = torch.fft.rfft2(images) * log_gains.exp()
        filtered = torch.fft.irfft2(spectrum, s=images.shape[-2:])
        mixed = torch.einsum("ij,njhw->nihw", self.colours, filtered)
        clean = (mixed + self.offset[:, None, None]).clamp(0, 1)
        added, speckle = self.log_noise.exp()
        grainy: Images = (clean + (added + speckle * clean) * noise).clamp(0, 1)
        return grainy


def ring_weights(height: int, width: int, bands: int) -> Tensor:
    """Return weights (H, W // 2 + 1, 2, bands) that interpolate gains between frequencies.

    On a log scale between the bands; between the two directions, down and across, by the share of each
    in the square of the frequency. The mean's weights are all zero, those of any other frequency sum
    to one.
    """
    down = torch.fft.fftfreq(height)[:, None] * height
    across = torch.fft.rfftfreq(width)[None, :] * width
    radius = torch.hypot(down, across)
    place = radius.clamp(min=1).log() / math.log(math.hypot(height, width) / 2) * (bands - 1)
    weights = (1 - (place[..., None] - torch.arange(bands)).abs()).clamp(min=0)
    shares = torch.stack([down.square().expand_as(radius), across.square().expand_as(radius)], -1)
    shares = shares / radius.square().clamp(min=1)[..., None]
    return shares[..., :, None] * weights[..., None, :]
