"""Procedural noise, which needs neither a classifier nor a photograph."""

import torch
from jaxtyping import Float
from torch import Tensor

Field = Float[Tensor, "height width"]


def perlin_noise(height: int, width: int, wavelength: float, generator: torch.Generator) -> Field:
    """Draw four octaves of Perlin's gradient noise, about [-1, 1].

    Perlin 2002, https://doi.org/10.1145/566654.566636, as in Co et al. 2019.

    Args:
        height, width: In pixels.
        wavelength: Distance of the lattice points of the first octave, in pixels.
        generator: Source of all randomness.
    """
    octaves = [
        lattice_noise(height, width, wavelength / 2**octave, generator) / 2**octave
        for octave in range(4)
    ]
    return torch.stack(octaves).sum(0)


def lattice_noise(height: int, width: int, wavelength: float, generator: torch.Generator) -> Field:
    """Draw one octave: the slopes of random unit gradients at the points of a lattice, blended."""
    down, across = (torch.arange(size) / wavelength for size in (height, width))
    rows, columns = int(down[-1]) + 2, int(across[-1]) + 2
    angle = 2 * torch.pi * torch.rand(rows, columns, generator=generator)
    top, left = down.long(), across.long()
    y, x = (down - top)[:, None], (across - left)[None, :]

    def slope(below: int, right: int) -> Tensor:
        at = angle[top[:, None] + below, left[None, :] + right]
        return at.sin() * (y - below) + at.cos() * (x - right)

    fade_y, fade_x = (t**3 * (t * (6 * t - 15) + 10) for t in (y, x))
    upper = slope(0, 0).lerp(slope(0, 1), fade_x.expand(height, width))
    lower = slope(1, 0).lerp(slope(1, 1), fade_x.expand(height, width))
    return upper.lerp(lower, fade_y.expand(height, width))


def gabor_noise(height: int, width: int, wavelength: float, generator: torch.Generator) -> Field:
    """Draw Gabor kernels of one wavelength and one direction, at random places and with random signs.

    Lagae et al. 2009, https://doi.org/10.1145/1531326.1531360 (sparse Gabor convolution noise), as in
    Co et al. 2019: there is one direction in an image.

    Args:
        height, width: In pixels.
        wavelength: Of the kernel's wave, in pixels; its Gaussian has half of that as deviation.
        generator: Source of all randomness.
    """
    y = torch.fft.fftfreq(height, 1 / height)[:, None]
    x = torch.fft.fftfreq(width, 1 / width)[None, :]
    angle = torch.pi * torch.rand((), generator=generator)
    wave = (2 * torch.pi / wavelength * (y * angle.sin() + x * angle.cos())).cos()
    kernel = wave * (-(y**2 + x**2) / (2 * (wavelength / 2) ** 2)).exp()
    impulses = torch.randn(height, width, generator=generator)
    impulses *= torch.rand(height, width, generator=generator) < 4 / wavelength**2
    spectrum = torch.fft.rfft2(impulses) * torch.fft.rfft2(kernel)
    noise: Field = torch.fft.irfft2(spectrum, s=(height, width))
    return noise
