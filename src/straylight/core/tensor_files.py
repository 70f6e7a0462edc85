"""Tensors in files: perturbations (.npy) and safetensors, read within bounds and written atomically."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from straylight.core.array_files import read_perturbation
from straylight.core.files import write_atomically
from straylight.core.tensors import Delta


def read_delta(path: Path, sha256: str = "") -> Delta:
    """Read a perturbation, float32 (1, C, H, W); see `read_perturbation`."""
    return torch.from_numpy(read_perturbation(path, sha256))


def write_tensors(
    path: Path, tensors: dict[str, torch.Tensor], texts: dict[str, str] | None = None
) -> None:
    """Write a safetensors file in one step.

    Raises:
        InputError: If it cannot be written.
    """
    with write_atomically(path) as fresh:
        save_file(tensors, fresh, texts)
