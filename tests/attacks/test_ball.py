"""Projections as properties, and the paper's budget."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from straylight.attacks.ball import Ball, eps_from_zeta
from straylight.core.errors import InputError
from straylight.core.tensors import image_norms, rms_levels
from straylight.data.images import ImageSet

deltas = arrays(
    np.float32,
    st.tuples(st.just(1), st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9)),
    elements=st.floats(-4, 4, width=32),
).map(torch.from_numpy)
balls = st.builds(Ball, st.just("l2"), st.floats(0.01, 10)) | st.builds(
    Ball, st.just("linf"), st.floats(0.01, 1)
)


@given(balls, deltas)
def test_projection_lies_inside_and_is_idempotent(ball: Ball, delta: torch.Tensor) -> None:
    inside = ball.project(delta)
    assert ball.size(inside) <= ball.eps * (1 + 1e-5)
    torch.testing.assert_close(ball.project(inside), inside)


@given(balls, deltas)
def test_projection_is_never_longer_and_leaves_the_inside_alone(
    ball: Ball, delta: torch.Tensor
) -> None:
    assert ball.size(ball.project(delta)) <= ball.size(delta) * (1 + 1e-6)
    if ball.size(delta) <= ball.eps:
        assert torch.equal(ball.project(delta), delta)


@given(balls, deltas, st.integers(0, 1000))
def test_projection_is_the_nearest_point(ball: Ball, delta: torch.Tensor, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    other = ball.project(torch.randn(delta.shape, generator=generator) * ball.eps)
    nearest = float((delta - ball.project(delta)).norm())
    assert nearest <= float((delta - other).norm()) * (1 + 1e-5) + 1e-6


@given(deltas)
def test_norms_are_numpys(delta: torch.Tensor) -> None:
    flat = delta.numpy().ravel().astype(np.float64)
    assert Ball("l2", 1.0).size(delta) == pytest.approx(np.linalg.norm(flat), rel=1e-5, abs=1e-9)
    assert Ball("linf", 1.0).size(delta) == pytest.approx(np.linalg.norm(flat, np.inf), abs=1e-9)
    assert rms_levels(delta) == pytest.approx(255 * np.sqrt(np.mean(flat**2)), rel=1e-5, abs=1e-6)


def test_norms_of_a_batch_are_those_of_its_images() -> None:
    images = torch.rand(3, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor([float(image.norm()) for image in images])
    torch.testing.assert_close(image_norms(images, "l2"), expected)
    torch.testing.assert_close(image_norms(images, "linf"), images.amax((1, 2, 3)))


def test_zeta_is_the_paper_budget() -> None:
    """Minagi 2022: xi = zeta * mean ||x||_2 (0..255, all channels) / 128 in [-1, 1] units."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (5, 3, 6, 6), generator=generator, dtype=torch.uint8)
    images = ImageSet(pixels, "x")
    mean_norm = float(np.linalg.norm(pixels.numpy().reshape(5, -1).astype(float), axis=1).mean())
    eps = eps_from_zeta(0.04, images.mean_norm("l2"))
    # Their scaling divides by 128, ours by 255 / 2: hence the last factor.
    assert eps * 2 == pytest.approx(0.04 * mean_norm / 128 * (128 / 127.5), rel=1e-5)


@pytest.mark.parametrize("zeta", [0.0, -0.1, float("nan"), float("inf"), 2.0])
def test_impossible_zeta_is_refused(zeta: float) -> None:
    with pytest.raises(InputError, match=r"zeta must lie in \(0, 1\]"):
        eps_from_zeta(zeta, 10.0)


@pytest.mark.parametrize("eps", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_eps_is_refused(eps: float) -> None:
    with pytest.raises(InputError, match="eps must be a positive finite number"):
        Ball("l2", eps)


def test_unknown_norm_is_refused() -> None:
    # Made by hand, since in tests the type checker would refuse it first.
    ball = object.__new__(Ball)
    vars(ball).update(norm="l1", eps=1.0)
    with pytest.raises(InputError, match="norm must be one of l2, linf"):
        ball.__post_init__()
