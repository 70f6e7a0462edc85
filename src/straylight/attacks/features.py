"""The features of a network on the way: outputs of its convolutions."""

from contextlib import ExitStack, suppress

from torch import Tensor, nn

from straylight.core.errors import InputError
from straylight.models.classifier import Classifier


class EnoughSeen(BaseException):
    """Ends a forward pass: the last layer that is watched has been reached.

    Not an `Exception`, which would be taken for a failure of the network.
    """


class Features(ExitStack):
    """Collects the outputs of the first convolutions of a network until the context is closed.

    Args:
        classifier: The network.
        depth: Which share of its convolutions, the first ones, in (0, 1]; at least one.

    Raises:
        InputError: If it has no convolution.
    """

    def __init__(self, classifier: Classifier, depth: float) -> None:
        super().__init__()
        layers = [module for module in classifier.modules() if isinstance(module, nn.Conv2d)]
        if not layers:
            raise InputError("this network has no convolution whose features could be attacked.")
        classifier.layout  # noqa: B018 (found out by passes that must not be watched)
        self.classifier = classifier
        self.seen: list[Tensor] = []
        self.layers = layers[: max(1, round(depth * len(layers)))]
        for layer in self.layers:
            self.enter_context(layer.register_forward_hook(self.keep))

    def keep(self, _: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        self.seen.append(output)
        if len(self.seen) == len(self.layers):
            raise EnoughSeen

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Return the features of images, one tensor (batch, channels, height, width) a layer."""
        self.seen = []
        with suppress(EnoughSeen):  # the layers behind are not needed
            self.classifier(images)
        return self.seen
