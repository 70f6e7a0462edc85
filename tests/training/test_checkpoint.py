"""A checkpoint is read back as it was written, or refused."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from straylight.core.errors import InputError
from straylight.training.checkpoint import Checkpoint, read_checkpoint

HISTORY = [{"loss": 0.5, "validation_accuracy": 0.75}]


def checkpoint(network: nn.Module) -> Checkpoint:
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    momentum = {name: torch.ones_like(tensor) for name, tensor in network.named_parameters()}
    return Checkpoint("{}", HISTORY, weights, {k: v + 1 for k, v in weights.items()}, momentum)


def test_a_checkpoint_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    written = checkpoint(nn.Linear(3, 2))
    written.write(tmp_path / "c.safetensors")
    found = read_checkpoint(tmp_path / "c.safetensors")
    for field in fields(Checkpoint):
        ours, theirs = getattr(written, field.name), getattr(found, field.name)
        if isinstance(ours, dict):
            torch.testing.assert_close(theirs, ours, rtol=0, atol=0)
        else:
            assert ours == theirs


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    found = checkpoint(nn.Linear(3, 2))
    found.check_fits(nn.Linear(3, 2), tmp_path)
    with pytest.raises(InputError, match="it has other tensors"):
        found.check_fits(nn.Linear(4, 2), tmp_path)


def test_a_checkpoint_with_one_changed_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint(nn.Linear(3, 2)).write(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="delete it to train again from the start"):
        read_checkpoint(path)


def test_a_checkpoint_with_one_wrong_bit_is_not_trained_on(
    unfinished: Path, tmp_path: Path
) -> None:
    data = bytearray((unfinished / "checkpoint.safetensors").read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "checkpoint.safetensors"
    for place in rng.integers(0, len(data), 12):
        data[place] ^= 1
        path.write_bytes(data)
        data[place] ^= 1
        with pytest.raises(InputError, match="is broken"):
            read_checkpoint(path)
    path.write_bytes(data)
    assert len(read_checkpoint(path).history) == 1
