"""The paper's released perturbation and its log: what they say, by this project's own measures.

Minagi, Hirano & Takemoto 2022: skin lesions, Inception-v3, L2 at zeta 4 %, 100,000 ImageNet photographs.
They are in [-1, 1] units, so the perturbation is twice as large there as on images in [0, 1].
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from straylight.attacks.ball import Ball
from straylight.attacks.controls import PhaseRandomised
from straylight.core.tensors import Delta, image_norms, rms_levels

pytestmark = pytest.mark.shared

NAME = "minagi2022_skin_inceptionv3_l2_zeta4"
IMAGES, L2, LINF, TRAIN, TEST, NATURAL, NOISE_TRAIN, NOISE_TEST, NOISE_NATURAL = range(9)


@pytest.fixture
def released(shared: Path) -> Delta:
    """The perturbation, (1, 3, 299, 299), on images in [0, 1]."""
    array = np.load(shared / "reference" / f"{NAME}_uap.npy", allow_pickle=False)
    return torch.from_numpy(array).permute(2, 0, 1)[None].contiguous() / 2


@pytest.fixture
def log(shared: Path) -> NDArray[np.float64]:
    """One row for each thousand photographs."""
    rows: NDArray[np.float64] = np.load(
        shared / "reference" / f"{NAME}_log.npy", allow_pickle=False
    )
    return rows


def test_its_size_is_the_one_of_its_log(released: Delta, log: NDArray[np.float64]) -> None:
    assert 2 * float(image_norms(released, "l2")) == pytest.approx(log[-1, L2], rel=1e-5)
    assert 2 * float(image_norms(released, "linf")) == pytest.approx(log[-1, LINF], rel=1e-5)
    assert 2 * float(image_norms(released, "l2")) == pytest.approx(26.77, abs=0.005)
    assert rms_levels(released) == pytest.approx(6.6, abs=0.05)
    assert 255 * float(image_norms(released, "linf")) == pytest.approx(53, abs=0.5)
    assert float((released.abs() * 255 > 10).float().mean()) == pytest.approx(0.12, abs=0.005)


def test_its_energy_is_at_low_frequencies(released: Delta) -> None:
    """53 % lies below a quarter of a cycle a pixel, where white noise of the same size has a fifth."""

    def share_below(delta: Delta) -> float:
        power = torch.fft.fft2(delta).abs().square()
        rows, columns = (torch.fft.fftfreq(side) for side in delta.shape[-2:])
        low = torch.hypot(rows[:, None], columns[None, :]) < 0.25
        return float(power[..., low].sum() / power.sum())

    noise = torch.randn(released.shape, generator=torch.Generator().manual_seed(0))
    assert share_below(released) == pytest.approx(0.53, abs=0.005)
    assert share_below(noise) == pytest.approx(torch.pi * 0.25**2, abs=0.005)
    copy = PhaseRandomised()(released, Ball("l2", 1.0), generator=torch.Generator().manual_seed(0))
    assert share_below(copy) == pytest.approx(0.53, abs=0.01)


def test_it_grows_like_a_random_walk_until_it_fills_its_ball(log: NDArray[np.float64]) -> None:
    growing = log[:, L2] < log[-1, L2] * 0.999
    slope = np.polyfit(np.log(log[growing, IMAGES]), np.log(log[growing, L2]), 1)[0]
    assert slope == pytest.approx(0.46, abs=0.02)
    assert int(growing.sum()) == pytest.approx(26, abs=1)  # thousands of photographs


def test_its_curve_is_the_one_that_is_told(log: NDArray[np.float64]) -> None:
    told = {1: (1.5, 6.0, 42.5, 3.2), 20: (37.2, 37.2, 52.6, 13.6), 100: (83.9, 83.6, 72.1, 14.7)}
    for thousands, rates in told.items():
        row = 100 * log[thousands - 1, [TRAIN, TEST, NATURAL, NOISE_TEST]]
        assert row.tolist() == pytest.approx(rates, abs=0.051)
    assert log[:, IMAGES].tolist() == [1000.0 * k for k in range(1, 101)]
