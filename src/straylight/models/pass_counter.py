"""Count image passes: images sent through a classifier, forwards and backwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from straylight.models.classifier import Classifier


@dataclass
class PassCounter:
    """The number of images sent through a classifier, forwards and backwards."""

    forward: int = 0
    backward: int = 0

    @property
    def total(self) -> int:
        return self.forward + self.backward


@contextmanager
def count_passes(classifier: Classifier) -> Iterator[PassCounter]:
    """Count image passes while the context is open."""
    passes, _ = PassCounter(), classifier.layout  # choosing the layout needs passes of its own

    def backward(grad: Tensor) -> None:
        passes.backward += len(grad)

    def forward(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if classifier.is_checking:
            return
        passes.forward += len(inputs[0])
        if inputs[0].requires_grad:
            inputs[0].register_hook(backward)  # type: ignore[no-untyped-call]

    handle = classifier.network.register_forward_pre_hook(forward)
    try:
        yield passes
    finally:
        handle.remove()
