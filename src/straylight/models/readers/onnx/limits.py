"""Limit the cost of a graph, by the size of its images and of its file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from torch import Tensor

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.network import OnnxStep

# Numbers in memory at once, numbers in total, and multiplications per image: far more than any classifier
# needs. A graph that needs more is refused before it is computed.
AT_ONCE, IN_ALL, PRODUCTS = 2**21, 5 * 10**7, 2 * 10**9
STEPS, BYTES_PER_STEP = 1500, 10_000  # each costs a millisecond, whatever it computes


@dataclass
class ComputeCost:
    """The accumulated cost of a graph's steps, from shapes only.

    Attributes:
        rows: Images in the batch.
        pixels: Pixels of one image.
        size: Size of the file in bytes: a larger file may cost more.
    """

    rows: int
    pixels: int
    size: int
    held: dict[int, int] = field(default_factory=dict)
    at_once: int = 0
    in_all: int = 0
    products: int = 0
    steps: int = 0

    def add(
        self, step: OnnxStep, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]
    ) -> None:
        """Add one step, before it is computed.

        Raises:
            UnsupportedModelError: If a limit is exceeded.
        """
        out = sum(value.numel() for value in outputs)
        self.in_all += out + sum(value.numel() for value in inputs if value is not None)
        self.products += _count_multiplications(step, inputs, outputs)
        self.steps += max(1, len(outputs), len(inputs) // 4)
        self.at_once += out
        most_at_once = self.rows * (AT_ONCE + 512 * self.pixels) + self.size // 2
        if self.at_once > most_at_once:
            raise UnsupportedModelError(f"has a {step.operator} that makes too large a tensor")
        most_in_all = self.rows * (IN_ALL + 1000 * self.pixels + 200 * self.size)
        most_products = self.rows * (PRODUCTS + self.pixels * self.size // 4)
        most_steps = STEPS + self.size // BYTES_PER_STEP
        if self.in_all > most_in_all or self.products > most_products or self.steps > most_steps:
            raise UnsupportedModelError("would compute for far longer than a network of its size")
        for number, value in zip(step.outputs, outputs, strict=False):
            if number is not None:
                self.held[number] = value.numel()
            else:
                self.at_once -= value.numel()

    def free(self, step: OnnxStep) -> None:
        """Release the values that no later step needs."""
        for number in step.last:
            self.at_once -= self.held.pop(number, 0)


def _count_multiplications(
    step: OnnxStep, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]
) -> int:
    """Return the approximate number of multiplications in a step."""
    tensors = [value for value in inputs if value is not None]
    out = sum(value.numel() for value in outputs)
    if step.operator == "Conv":
        return out * prod(tensors[1].shape[1:])
    if step.operator == "ConvTranspose":
        return tensors[0].numel() * prod(tensors[1].shape[1:])
    if step.operator in ("MatMul", "Gemm"):
        return out * max(tensors[0].shape, default=1)
    if step.operator == "Einsum":
        return prod(max(1, value.numel()) for value in tensors)
    if step.operator in ("MaxPool", "AveragePool"):
        sides: tuple[int, ...] = step.keywords.get("kernel_shape", ())
        return out * prod(sides)
    return out * int(step.keywords.get("size", 1))
