"""Controls: size, spread and spectrum."""

import pytest
import torch

from attack_runs import SHAPES, rng
from straylight.attacks.ball import Ball
from straylight.attacks.controls import Gabor, Perlin, PhaseRandomised, RandomSign, RandomSphere
from straylight.core.conventions import Shape


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_random_signs_fill_the_ball(norm: str, shape: Shape) -> None:
    ball = Ball(norm, 0.5)  # type: ignore[arg-type]
    delta = RandomSign()(torch.zeros(1, *shape), ball, generator=rng())
    level = 0.5 if norm == "linf" else 0.5 / delta.numel() ** 0.5
    torch.testing.assert_close(delta.abs(), torch.full_like(delta, level))
    assert 0 < float((delta > 0).float().mean()) < 1


def test_random_sphere_has_the_radius_and_the_spread_of_the_paper() -> None:
    reference = torch.zeros(1, 3, 64, 64)
    sphere = RandomSphere()(reference, Ball("l2", 2.0), generator=rng())
    assert float(sphere.norm()) == pytest.approx(2.0, rel=1e-6)
    cube = RandomSphere()(reference, Ball("linf", 0.1), generator=rng())
    assert float(cube.abs().max()) <= 0.1
    assert float(cube.square().mean().sqrt()) == pytest.approx(0.1 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (3, 7, 9), (3, 6, 4)], ids=str)
def test_phase_randomisation_keeps_the_spectrum_and_the_length(shape: Shape) -> None:
    reference = torch.randn(1, *shape, generator=rng(1))
    ball = Ball("l2", float(reference.norm()))
    delta = PhaseRandomised()(reference, ball, generator=rng())
    torch.testing.assert_close(
        torch.fft.fft2(delta).abs(), torch.fft.fft2(reference).abs(), rtol=1e-3, atol=1e-4
    )
    assert float(delta.norm()) == pytest.approx(float(reference.norm()), rel=1e-5)
    cosine = float((delta * reference).sum() / reference.norm() ** 2)
    assert abs(cosine) < 0.5


def test_phase_randomised_nothing_is_nothing() -> None:
    delta = PhaseRandomised()(torch.zeros(1, 1, 4, 4), Ball("linf", 0.1), generator=rng())
    assert torch.equal(delta, torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("control", [Perlin(), Gabor()], ids=["perlin", "gabor"])
def test_procedural_controls_fill_the_ball_and_are_grey(control: Perlin | Gabor) -> None:
    attack = torch.zeros(1, 3, 40, 32)
    delta = control(attack, Ball("linf", 0.1), generator=rng())
    assert delta.unique().tolist() == pytest.approx([-0.1, 0.1])
    delta = control(attack, Ball("l2", 2.0), generator=rng())
    assert float(delta.norm()) == pytest.approx(2.0, rel=1e-5)
    assert torch.equal(delta[:, 0], delta[:, 2])
