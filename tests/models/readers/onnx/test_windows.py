"""ONNX convolutions: padding, and attributes that contradict each other."""

from pathlib import Path

import pytest
import torch

from onnx_loading import logits
from onnx_reference import IMAGES, OPTIONS
from onnxes import SIDE, WEIGHTS, classifier, save
from straylight.core.errors import InputError
from straylight.models.readers.onnx.reader import read_onnx


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_auto_pad(auto_pad: str, stride: int, tmp_path: Path) -> None:
    """Against torch's own convolution with the padding that the standard's formula gives."""
    made = classifier(conv={"auto_pad": auto_pad, "strides": [stride, stride]})
    network = read_onnx(str(save(made, tmp_path / "m.onnx")), OPTIONS).network
    whole = max(0, (-(-SIDE // stride) - 1) * stride + 3 - SIDE)
    before = whole // 2 if auto_pad == "SAME_UPPER" else whole - whole // 2
    ends = (before, whole - before) if auto_pad != "VALID" else (0, 0)
    padded = torch.nn.functional.pad(IMAGES, (*ends, *ends))
    weight, linear, bias = (torch.tensor(WEIGHTS[name]) for name in ("w", "fw", "fb"))
    features = torch.nn.functional.conv2d(padded, weight, stride=stride).relu().mean((2, 3))
    torch.testing.assert_close(network(IMAGES), features @ linear.t() + bias)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kernel_shape": [5, 5]}, r"kernel_shape \(5, 5\) and weights of \(3, 3\)"),
        ({"auto_pad": "VALID", "pads": [1, 1, 1, 1]}, "both pads and an auto_pad"),
        ({"auto_pad": "SAME_UPPER", "pads": [1, 1, 1, 1]}, "both pads and an auto_pad"),
    ],
)
def test_attributes_that_contradict_each_other(
    attributes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        logits(classifier(conv=attributes), tmp_path / "m.onnx")
