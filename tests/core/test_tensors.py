"""Tensors and pixels."""

import torch

from attack_runs import rng
from straylight.core.tensors import quantize


def test_what_a_system_receives_is_8_bit() -> None:
    images = torch.rand(2, 3, 5, 5, generator=rng()) * 2 - 0.5
    levels = quantize(images) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert float(levels.min()) >= 0
    assert float(levels.max()) <= 255
    assert float((quantize(images) - images.clamp(0, 1)).abs().max()) <= 0.5 / 255 + 1e-6
