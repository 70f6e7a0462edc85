"""A network whose file is a program: what it computes is in the file as well as in its weights."""

import hashlib

import torch
from torch import Tensor, nn

from straylight.core.errors import quoted


class Program(nn.Module):
    """A network, with the digest of the program that it is.

    Two programs with the same weights (or with none: a frozen one has them as constants) are two
    networks. The digest is a buffer, so that `Classifier.sha256` tells them apart.

    Args:
        network: It.
        source: The program as bytes.
    """

    def __init__(self, network: nn.Module, source: bytes) -> None:
        super().__init__()
        self.network = network
        digest = hashlib.sha256(source).digest()
        self.register_buffer("program_sha256", torch.tensor(list(digest), dtype=torch.uint8))

    def forward(self, images: Tensor) -> object:
        return self.network(images)


def other_numbers(network: nn.Module) -> str:
    """Return what to do about weights that are not float32, as the end of a sentence (nothing: all are)."""
    for name, tensor in network.state_dict().items():
        if not isinstance(tensor, Tensor) or tensor.is_quantized or tensor.is_complex():
            return "is quantised or complex, and has no gradients: give it in float32"
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            kind = str(tensor.dtype).removeprefix("torch.")
            return (
                f"has weights of type {kind} ({quoted(name)}): give it in float32 (call network.float() "
                "before it is exported)"
            )
    return ""
