"""Losses against other ways to compute them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attack_runs import rng
from straylight.attacks.losses import cosine_loss, cross_entropy_loss, logit_margin, margin_loss
from straylight.core.errors import InputError


@pytest.mark.parametrize("target", [None, 2])
def test_losses_have_the_gradients_of_finite_differences(target: int | None) -> None:
    logits = torch.randn(6, 4, generator=rng(1), dtype=torch.float64, requires_grad=True)
    clean = torch.randn(6, 4, generator=rng(2), dtype=torch.float64)
    for loss in (
        lambda z: margin_loss(z, clean, target, 10.0),
        lambda z: cross_entropy_loss(z, clean, target),
    ):
        assert torch.autograd.gradcheck(loss, (logits,))
    if target is None:
        assert torch.autograd.gradcheck(lambda z: cosine_loss(z, clean, None), (logits,))


def test_bounded_losses_pull_no_more_where_an_image_is_fooled() -> None:
    clean = torch.tensor([[5.0, 0.0, 0.0]])
    fooled = torch.tensor([[0.0, 30.0, 0.0]], requires_grad=True)
    assert margin_loss(fooled, clean, None, 10.0).item() == -10.0
    assert cross_entropy_loss(fooled, clean, None).item() == -9.0
    for found in (margin_loss(fooled, clean, None, 10.0), cross_entropy_loss(fooled, clean, None)):
        (grad,) = torch.autograd.grad(found.sum(), fooled)
        assert not grad.any()
    with pytest.raises(InputError, match="the cosine loss has no target"):
        cosine_loss(fooled, clean, 1)


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_margin_is_own_logit_less_the_best_other(seed: int, n_classes: int) -> None:
    logits = torch.randn(5, n_classes, generator=rng(seed), dtype=torch.float32)
    labels = torch.randint(n_classes, (5,), generator=rng(seed))
    expected = [
        row[label] - max(value for j, value in enumerate(row) if j != label)
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True)
    ]
    torch.testing.assert_close(logit_margin(logits, labels), torch.tensor(expected))
