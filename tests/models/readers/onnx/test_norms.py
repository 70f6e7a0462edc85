"""ONNX batch norms and convolutions as torch layers."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from onnx_reference import OPTIONS, assert_like_reference
from onnxes import HEAD, SIDE, WEIGHTS, Nodes, model, noise
from straylight.models.folding import fold_batch_norms
from straylight.models.load import load_model


def test_batch_norms_and_convolutions_are_torch_layers(tmp_path: Path) -> None:
    norm: Nodes = [
        ("Conv", ["x", "w"], ["k"], {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", ["k", "s", "b", "m", "v"], ["c"], {"epsilon": 1e-3}),
        *HEAD,
    ]
    numbers = {name: noise(4, seed=n) for n, name in enumerate("sbm", 3)}
    made = model(norm, **WEIGHTS, **numbers, v=np.abs(noise(4, seed=6)) + 0.5)
    assert_like_reference(made, tmp_path / "m.onnx")
    found = load_model(tmp_path / "m.onnx", OPTIONS)
    (layer,) = (m for m in found.modules() if isinstance(m, nn.BatchNorm2d))
    assert layer.running_mean is not None
    assert layer.running_mean.tolist() == numbers["m"].tolist()
    folded = fold_batch_norms(found)
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    images = torch.rand(2, 3, SIDE, SIDE)
    torch.testing.assert_close(folded(images), found(images))
