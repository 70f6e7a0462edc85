"""Controls: perturbations of equal size that know nothing about the classifier."""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch

from straylight.attacks.ball import Ball
from straylight.attacks.procedural_noise import gabor_noise, perlin_noise
from straylight.attacks.protocol import ThreatModel
from straylight.core.tensors import Delta


@runtime_checkable
class Control(Protocol):
    """A frozen dataclass that makes a perturbation without a classifier or a photograph."""

    threat_model: ClassVar[ThreatModel]

    def __call__(self, perturbation: Delta, ball: Ball, *, generator: torch.Generator) -> Delta:
        """Return a control for an attack's perturbation, of the same shape and budget."""


@dataclass(frozen=True, kw_only=True)
class RandomSphere:
    """The paper's control: uniform on the L2 sphere, or uniform in the L-infinity cube.

    Minagi et al. 2022, section 2.3. In the cube its root mean square is eps / sqrt(3), less than that
    of a saturated attack: `RandomSign` is the fair control there.
    """

    threat_model: ClassVar[ThreatModel] = "T0"

    def __call__(self, perturbation: Delta, ball: Ball, *, generator: torch.Generator) -> Delta:
        if ball.norm == "linf":
            return (torch.rand(perturbation.shape, generator=generator) * 2 - 1) * ball.eps
        return ball.scale(torch.randn(perturbation.shape, generator=generator))


@dataclass(frozen=True, kw_only=True)
class RandomSign:
    """Every entry at plus or minus the same value: the largest noise that the ball holds."""

    threat_model: ClassVar[ThreatModel] = "T0"

    def __call__(self, perturbation: Delta, ball: Ball, *, generator: torch.Generator) -> Delta:
        signs = torch.randint(0, 2, perturbation.shape, generator=generator).float() * 2 - 1
        return ball.scale(signs)


@dataclass(frozen=True, kw_only=True)
class Perlin:
    r"""Marble: :math:`\sin(4 \pi S)` of Perlin noise :math:`S`, the same in all channels.

    Co et al. 2019, https://arxiv.org/abs/1810.00470: noise that fools ImageNet networks unseen. Their
    parameters are searched for on the target model; here nothing is: the first octave's wavelength is a
    sixth of the side. L-infinity: the signs, so that it fills the ball.
    """

    threat_model: ClassVar[ThreatModel] = "T0"

    def __call__(self, perturbation: Delta, ball: Ball, *, generator: torch.Generator) -> Delta:
        height, width = perturbation.shape[-2:]
        marble = (
            4 * math.pi * perlin_noise(height, width, min(height, width) / 6, generator)
        ).sin()
        return fill_ball(marble.expand_as(perturbation), ball)


@dataclass(frozen=True, kw_only=True)
class Gabor:
    """Stripes of one direction and a wavelength of 8 pixels, the same in all channels.

    Co et al. 2019, https://arxiv.org/abs/1810.00470, without their search. L-infinity: the signs.
    """

    threat_model: ClassVar[ThreatModel] = "T0"

    def __call__(self, perturbation: Delta, ball: Ball, *, generator: torch.Generator) -> Delta:
        height, width = perturbation.shape[-2:]
        return fill_ball(gabor_noise(height, width, 8.0, generator).expand_as(perturbation), ball)


def fill_ball(pattern: Delta, ball: Ball) -> Delta:
    """Scale a pattern to the surface of a ball: its signs (L-infinity) or its length (L2)."""
    if ball.norm == "linf":
        return torch.where(pattern < 0, -ball.eps, ball.eps)
    return ball.scale(pattern)


@dataclass(frozen=True, kw_only=True)
class PhaseRandomised:
    """The attack's own perturbation with random Fourier phases: its spectrum without its structure.

    The amplitudes of each channel are kept and one field of phases, that of white noise, is added to
    all channels, so the channels keep their correlation. L2: as long as the attack's. L-infinity: as
    long in L2, then projected on the ball.
    """

    threat_model: ClassVar[ThreatModel] = "T0"

    def __call__(self, perturbation: Delta, ball: Ball, *, generator: torch.Generator) -> Delta:
        white = torch.randn(perturbation.shape[-2:], generator=generator)
        phases = torch.angle(torch.fft.rfft2(white))
        spectrum = torch.fft.rfft2(perturbation) * torch.polar(torch.ones_like(phases), phases)
        delta = torch.fft.irfft2(spectrum, s=perturbation.shape[-2:])
        length = Ball("l2", max(float(perturbation.norm()), math.ulp(1.0)))
        return ball.project(length.scale(delta))
