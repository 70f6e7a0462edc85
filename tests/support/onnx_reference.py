"""Comparison of ONNX files with ONNX's own evaluator."""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from onnxes import SIDE, save
from straylight.models.options import ModelOptions
from straylight.models.readers.onnx.reader import read_onnx

OPTIONS = ModelOptions(
    classes=("a", "b"), size=SIDE, mean=(0.0,) * 3, std=(1.0,) * 3, head="logits"
)
IMAGES = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def assert_like_reference(made: onnx.ModelProto, path: Path, *, nhwc: bool = False) -> None:
    """Compare with ONNX's own numpy evaluator, and see that a gradient comes back to the images."""
    images = IMAGES.clone().requires_grad_()
    found = read_onnx(str(save(made, path)), OPTIONS).network(images)
    given = IMAGES.numpy().transpose(0, 2, 3, 1) if nhwc else IMAGES.numpy()
    (expected,) = ReferenceEvaluator(made).run(None, {"x": np.ascontiguousarray(given)})
    torch.testing.assert_close(found.detach(), torch.tensor(expected), rtol=1e-4, atol=1e-5)
    (gradient,) = torch.autograd.grad(found.square().sum(), images)
    assert gradient.isfinite().all()
    assert gradient.any()


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)
