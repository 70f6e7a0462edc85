"""Types that readers share: loaded networks, program networks and the error for unsupported files."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from straylight.core.errors import quote_text


@dataclass(frozen=True)
class LoadedNetwork:
    """A network as a reader returns it, with the settings that its library or file defines.

    Attributes:
        network: Maps normalised images (N, C, H, W) to outputs (N, K).
        architecture: Its name, as in a model card, if the network can be rebuilt from it.
        arguments: Keyword arguments for the library's constructor.
        size: Side of its images in pixels (0: unknown).
        mean, std: Normalisation of images in [0, 1] (empty: unknown).
        classes: Names of its outputs (empty: unknown).
        notes: Notes for the user about how it was read, one sentence each.
        files: Files that were read besides the given file or folder and its --weights.
    """

    network: nn.Module
    architecture: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


class UnsupportedModelError(Exception):
    """Why a model file is not read: the predicate of a sentence about the file."""


class ProgramNetwork(nn.Module):
    """A network whose file contains its program, with the program's digest.

    Two programs with the same weights (or none: a frozen program has them as constants) are two networks.
    The digest is a buffer, so that `Classifier.sha256` differs.

    Args:
        network: The network.
        source: The program as bytes.
    """

    def __init__(self, network: nn.Module, source: bytes) -> None:
        super().__init__()
        self.network = network
        digest = hashlib.sha256(source).digest()
        self.register_buffer("program_sha256", torch.tensor(list(digest), dtype=torch.uint8))

    def forward(self, images: Tensor) -> object:
        return self.network(images)


def non_float32_fault(network: nn.Module) -> str:
    """Return what is wrong with weights that are not float32, as a predicate ("": all are)."""
    for name, tensor in network.state_dict().items():
        if not isinstance(tensor, Tensor) or tensor.is_quantized or tensor.is_complex():
            return "is quantised or complex, so it has no gradients: give it in float32"
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            kind = str(tensor.dtype).removeprefix("torch.")
            return (
                f"has weights of type {kind} ({quote_text(name)}): give it in float32 (call "
                "network.float() before the export)"
            )
    return ""
