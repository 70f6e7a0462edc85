"""Classifiers whose best perturbation is known in closed form, and helpers to build images."""

import torch
from torch import Tensor, nn

from straylight.core.conventions import Shape
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


class Linear(nn.Module):
    """Logits (0, <w, x> + b): class 1 where the margin <w, x> + b is positive."""

    def __init__(self, weight: Tensor, bias: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = bias

    def margin(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.flatten() + self.bias

    def forward(self, images: Tensor) -> Tensor:
        margin = self.margin(images)
        return torch.stack([torch.zeros_like(margin), margin], 1)


def as_classifier(network: nn.Module, shape: Shape, n_classes: int = 2) -> Classifier:
    """Wrap a network that takes images of `shape` in [0, 1] as they are."""
    names = tuple(f"class {number}" for number in range(n_classes))
    channels = shape[0]
    return Classifier(
        network, shape=shape, class_names=names, mean=(0.0,) * channels, std=(1.0,) * channels
    )


def grey_photographs(n: int, shape: Shape, seed: int = 0) -> ImageSet:
    """Images whose pixels stay away from 0 and 255, so that clipping never acts."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(100, 156, (n, *shape), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, "oracle")


def linear_problem(shape: Shape, n: int = 50, seed: int = 0) -> tuple[Classifier, ImageSet, Linear]:
    """Make a linear classifier that calls every photograph class 1, with margins from 0 to 0.4."""
    generator = torch.Generator().manual_seed(seed + 1)
    weight = torch.randn(shape, generator=generator)
    photographs = grey_photographs(n, shape, seed)
    network = Linear(weight, 0.0)
    with torch.no_grad():
        margins = network.margin(photographs.images(slice(None)))
    scale = 0.4 / float(margins.max() - margins.min())
    network = Linear(weight * scale, float(-margins.min() * scale) + 1e-3)
    return as_classifier(network, shape), photographs, network


class Tiny(nn.Module):
    """A small convolutional network for what a linear classifier cannot show."""

    def __init__(self, channels: int, n_classes: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1), nn.GELU(), nn.Conv2d(8, 8, 3, stride=2), nn.GELU()
        )
        self.head = nn.Linear(8, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(images * 20 - 10).mean((2, 3)))
        return logits


def balanced_tiny(photographs: ImageSet, n_classes: int) -> Classifier:
    """Make a `Tiny` classifier whose predictions on these photographs are spread over the classes."""
    network = Tiny(photographs.shape[0], n_classes)
    with torch.no_grad():
        logits = network(photographs.images(slice(None)))
        network.head.weight.div_(logits.std(0)[:, None])
        logits = network(photographs.images(slice(None)))
        network.head.bias.sub_(logits.mean(0))
    return as_classifier(network, photographs.shape, n_classes)


def assert_same_function(found: Classifier, reference: nn.Module, side: int) -> None:
    """See that a classifier gives a network's logits to 1e-5, with its gradients, none of them nothing.

    Args:
        found: Loaded from a file.
        reference: Takes images of `found` in [0, 1] and gives its logits.
        side: Of the images.
    """
    images = torch.rand(3, found.shape[0], side, side, generator=torch.Generator().manual_seed(3))
    both = []
    for model in (found, reference):
        leaf = images.clone().requires_grad_()
        logits = model(leaf)
        # Softmax, since logits that differ by a constant are the same.
        weights = torch.arange(1.0, logits.shape[1] + 1)
        (grad,) = torch.autograd.grad((logits.softmax(1) * weights).sum(), leaf)
        both.append((logits.detach().log_softmax(1), grad))
    (ours, our_grad), (theirs, their_grad) = both
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    torch.testing.assert_close(our_grad, their_grad, rtol=1e-3, atol=1e-6)
    assert bool(our_grad.isfinite().all())
    assert bool((our_grad.flatten(1).abs().amax(1) > 0).all())
