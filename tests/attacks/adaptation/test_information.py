"""The information-maximisation loss."""

import math

import pytest
import torch

from attack_runs import rng
from straylight.attacks.adaptation.information import information_loss


def test_indecision_is_the_formula() -> None:
    p = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]], dtype=torch.float64)
    mean = p.mean(0)
    unsure = -(p * p.log()).sum(1).mean()
    expected = unsure + math.log(3) + (mean * mean.log()).sum()
    assert float(information_loss(p.log().float())) == pytest.approx(float(expected), rel=1e-5)
    logits = torch.randn(5, 4, generator=rng(), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(information_loss, (logits,))
