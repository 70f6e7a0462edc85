"""ONNX reductions of a few numbers, and on which axes."""

import pytest
import torch

from straylight.models.readers.onnx.reductions import REDUCTIONS

X = torch.tensor([[1.0, -2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ReduceSum", [-1, 7]),
        ("ReduceMean", [-0.5, 3.5]),
        ("ReduceMax", [1, 4]),
        ("ReduceMin", [-2, 3]),
        ("ReduceProd", [-2, 12]),
        ("ReduceL1", [3, 7]),
        ("ReduceL2", [5**0.5, 5]),
        ("ReduceSumSquare", [5, 25]),
    ],
)
def test_each_reduction_of_rows(name: str, expected: list[float]) -> None:
    found = REDUCTIONS[name](X, axes=(1,), keepdims=0)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))


def test_axes_are_an_attribute_an_input_or_all() -> None:
    total = REDUCTIONS["ReduceSum"]
    assert torch.equal(total(X, torch.tensor([-1])), torch.tensor([[-1.0], [7.0]]))
    assert torch.equal(total(X), torch.tensor([[6.0]]))
    assert torch.equal(total(X, noop_with_empty_axes=1), X)
