"""Intermediate features of a network: the outputs of its convolutions."""

from contextlib import ExitStack, suppress

from torch import Tensor, nn

from straylight.core.errors import InputError
from straylight.models.classifier import Classifier


class LastLayerReached(BaseException):
    """Ends a forward pass at the last layer that is watched.

    It is not an `Exception`, which would be taken for a failure of the network.
    """


class Features(ExitStack):
    """Outputs of a network's first convolutions, collected until the context is closed.

    Args:
        classifier: The network.
        depth: Share of its convolutions to watch, from the first, in (0, 1]; at least one is watched.

    Raises:
        InputError: If it has no convolution.
    """

    def __init__(self, classifier: Classifier, depth: float) -> None:
        super().__init__()
        layers = [module for module in classifier.modules() if isinstance(module, nn.Conv2d)]
        if not layers:
            raise InputError("this network has no convolution whose features could be attacked.")
        classifier.layout  # noqa: B018 (its detection runs the network, unwatched)
        self.classifier = classifier
        self.seen: list[Tensor] = []
        self.layers = layers[: max(1, round(depth * len(layers)))]
        for layer in self.layers:
            self.enter_context(layer.register_forward_hook(self._record))

    def _record(self, _: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        self.seen.append(output)
        if len(self.seen) == len(self.layers):
            raise LastLayerReached

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Return the features of images: a tensor (batch, channels, height, width) for each layer."""
        self.seen = []
        with suppress(LastLayerReached):  # the layers behind are not needed
            self.classifier(images)
        return self.seen


def check_feature_settings(name: str, steps: int, batch_size: int, depth: float) -> None:
    """Check the settings of an attack on features.

    Raises:
        InputError: If one is out of its range.
    """
    if steps < 1 or batch_size < 1 or not 0 < depth <= 1:
        raise InputError(
            f"{name} needs steps >= 1, batch_size >= 1 and depth in (0, 1], "
            f"not {steps}, {batch_size} and {depth}."
        )


def refuse_target(name: str, target: int | None) -> None:
    """Raise if there is a target: a public network does not have the target model's classes.

    Raises:
        InputError: If there is one.
    """
    if target is not None:
        raise InputError(f"{name} has no target: the public network has other classes.")
