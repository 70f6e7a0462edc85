"""The features of a network on the way: outputs of its convolutions."""

from types import TracebackType

from torch import Tensor, nn

from straylight.classifier import Classifier
from straylight.errors import InputError


class Features:
    """Collects the outputs of the first convolutions of a network while the context is open.

    Args:
        classifier: The network.
        depth: Which share of its convolutions, the first ones, in (0, 1]; at least one.

    Raises:
        InputError: If it has no convolution.
    """

    def __init__(self, classifier: Classifier, depth: float) -> None:
        layers = [module for module in classifier.modules() if isinstance(module, nn.Conv2d)]
        if not layers:
            raise InputError("this network has no convolution whose features could be attacked.")
        self.layers = layers[: max(1, round(depth * len(layers)))]
        self.classifier = classifier

    def __enter__(self) -> "Features":
        self.seen: list[Tensor] = []
        self.handles = [layer.register_forward_hook(self.keep) for layer in self.layers]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self.handles:
            handle.remove()

    def keep(self, _: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        self.seen.append(output)

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Return the features of images, one tensor (batch, channels, height, width) a layer."""
        self.seen = []
        self.classifier(images)
        return self.seen
