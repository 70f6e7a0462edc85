"""A classifier: a network with its preprocessing inside, so that perturbations live in pixel space."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from straylight.errors import InputError
from straylight.images import RGB, ImageSet
from straylight.limits import LARGEST_SIDE
from straylight.tensors import Images, Labels, Logits, Shape


class Classifier(nn.Module):
    """Images in [0, 1] to logits.

    Args:
        network: Maps normalised RGB images (N, 3, H, W) to logits (N, classes). Its parameters are
            frozen and it is put in evaluation mode.
        shape: Channels (1: grey, repeated to RGB inside, as in the paper; 3: RGB), height and width
            of its images.
        class_names: One for each logit.
        mean, std: Normalisation, for each of the three channels, of images in [0, 1].
        spec: Where it came from, as the user wrote it.
        card: Its provenance as plain data, if it came from a `ModelCard`.

    Attributes:
        passes_per_step: Forward and backward passes of an image in one step of an attack.
    """

    passes_per_step: ClassVar[int] = 2

    def __init__(
        self,
        network: nn.Module,
        *,
        shape: Shape,
        class_names: tuple[str, ...],
        mean: tuple[float, ...] = (0.5, 0.5, 0.5),
        std: tuple[float, ...] = (0.5, 0.5, 0.5),
        spec: str = "python",
        card: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if shape[0] not in (1, RGB):
            raise InputError(f"a classifier takes 1 or 3 channels, not {shape[0]}.")
        if not all(1 <= side <= LARGEST_SIDE for side in shape[1:]):
            raise InputError(
                f"a classifier takes images of 1 to {LARGEST_SIDE} pixels a side, not "
                f"{shape[1]} x {shape[2]}."
            )
        self.network = network
        self.shape = shape
        self.class_names = class_names
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.spec = spec
        self.card = card or {}
        self.eval().requires_grad_(False)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Images) -> Logits:
        rgb = images.expand(-1, self.mean.shape[1], -1, -1)
        normalised = (rgb - self.mean) / self.std
        logits: Logits = self.network(normalised.contiguous(memory_format=torch.channels_last))
        return logits

    def attacked(self, images: Images, clean: Images) -> Logits:
        """Return the logits of images that an attack learns on; `clean` is what they were before it."""
        return torch.as_tensor(self(images))

    def predict(self, images: Images) -> Labels:
        """Return the class of the largest logit for each image, as `decide` says."""
        with torch.no_grad():
            return decide(self(images))

    def predict_all(self, images: ImageSet, batch_size: int = 64) -> Labels:
        """Return the predictions for a whole set."""
        return decide(self.logits_all(images, batch_size))

    def logits_all(self, images: ImageSet, batch_size: int = 64) -> Logits:
        """Return the logits of a whole set."""
        with torch.no_grad():
            return torch.cat([self(batch) for batch in images.batches(batch_size)])

    def class_index(self, name: str) -> int:
        """Return the number of a class.

        Raises:
            InputError: If there is no such class.
        """
        if name not in self.class_names:
            raise InputError(
                f"{name!r} is not a class of the model: it has {', '.join(self.class_names)}."
            )
        return self.class_names.index(name)

    @property
    def sha256(self) -> str:
        """Digest of the network's weights."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def decide(logits: Logits) -> Labels:
    """Return the class of the largest logit for each image.

    Raises:
        InputError: If an output is NaN: its `argmax` would look like a class.
    """
    if bad := int(logits.isnan().any(1).sum()):
        raise InputError(
            f"the model gives NaN for {bad} of {len(logits)} images: they have no class and cannot be "
            "counted. Look at what it computes in float32 on such images."
        )
    return logits.argmax(1)


@dataclass
class Passes:
    """Images sent through a classifier, forwards and backwards."""

    forward: int = 0
    backward: int = 0

    @property
    def total(self) -> int:
        return self.forward + self.backward


@contextmanager
def count_passes(classifier: Classifier) -> Iterator[Passes]:
    """Count image passes while the context is open."""
    passes = Passes()

    def backward(grad: Tensor) -> None:
        passes.backward += len(grad)

    def forward(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        passes.forward += len(inputs[0])
        if inputs[0].requires_grad:
            inputs[0].register_hook(backward)  # type: ignore[no-untyped-call]

    handle = classifier.network.register_forward_pre_hook(forward)
    try:
        yield passes
    finally:
        handle.remove()
