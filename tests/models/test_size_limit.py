"""The limit for tensors that a constructor allocates."""

import pytest
import torch
from torch import nn

from straylight.core.errors import InputError
from straylight.models.size_limit import SPARE, TensorSizeLimit


def test_tensors_within_the_limit_are_made_and_the_next_is_refused() -> None:
    with TensorSizeLimit("net", 0):
        torch.zeros(SPARE // 2)
        torch.ones(SPARE // 2)
        with pytest.raises(InputError, match=r"^net describes a network with many more parameters"):
            torch.zeros(1)


def test_a_larger_file_may_have_a_larger_network() -> None:
    with TensorSizeLimit("net", 4 * 2**22):
        assert nn.Linear(2048, 2048).weight.shape == (2048, 2048)
    with TensorSizeLimit("net", 0), pytest.raises(InputError, match="is not built"):
        nn.Linear(2**20, 2**20)
