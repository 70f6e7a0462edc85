"""Tensors in files, against numpy and the published format of safetensors."""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from straylight.core.errors import InputError
from straylight.core.tensor_files import read_delta, write_tensors


def test_a_perturbation_is_what_numpy_wrote(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(1, 3, 4, 5)).astype(np.float32)
    np.save(tmp_path / "a.npy", array)
    digest = hashlib.sha256((tmp_path / "a.npy").read_bytes()).hexdigest()
    found = read_delta(tmp_path / "a.npy", digest)
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), array)
    with pytest.raises(InputError, match="its digest differs"):
        read_delta(tmp_path / "a.npy", digest[::-1])
    np.save(tmp_path / "b.npy", array.astype(np.float64))
    with pytest.raises(InputError, match=r"float64 .*, not one finite float32"):
        read_delta(tmp_path / "b.npy")


def test_tensors_are_written_as_the_format_says(tmp_path: Path) -> None:
    """A length of 8 bytes, a header in JSON, and the bytes of the tensors."""
    weight = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    write_tensors(tmp_path / "a", {"w": weight, "n": torch.tensor([7, -1])}, {"note": "é"})
    data = (tmp_path / "a").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, content = json.loads(data[8 : 8 + length]), data[8 + length :]
    assert header.pop("__metadata__") == {"note": "é"}
    assert {name: (part["dtype"], part["shape"]) for name, part in header.items()} == {
        "w": ("F32", [2, 3]),
        "n": ("I64", [2]),
    }
    start, end = header["w"]["data_offsets"]
    assert content[start:end] == weight.numpy().astype("<f4").tobytes()
    start, end = header["n"]["data_offsets"]
    assert content[start:end] == struct.pack("<2q", 7, -1)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
