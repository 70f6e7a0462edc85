"""A classifier: a network with its preprocessing inside, so that perturbations live in pixel space."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsFloat

import torch
from torch import Tensor, nn

from straylight.core.errors import InputError, listed, quoted
from straylight.core.tensors import Images, Labels, Logits, Shape
from straylight.data.images import ImageSet
from straylight.models.determinism import IN_UNIT_RANGE, unsteady
from straylight.models.memory_format import call, choose_layout, freeze, left_in_training
from straylight.models.outputs import Head
from straylight.models.raw_outputs import as_table
from straylight.models.specification import (
    misfit,
    plain_card,
    plain_names,
    plain_normalisation,
    plain_shape,
)

UNNAMED = "python"  # the spec of a classifier that was made in Python
BATCHES = (1, 2, 3)  # that a contract is checked on


class Classifier(nn.Module):
    """Images in [0, 1] to logits.

    The contract is kept for each batch: finite or not, one row of numbers for each image, as many as there
    are classes, in float32. What is wrapped is taken out, and what was squeezed away is put back (see
    `as_table`); anything else is an `InputError`.

    Args:
        network: Maps normalised RGB images (N, 3, H, W) to logits (N, classes). Its parameters are
            frozen and brought to float32, and it is put in evaluation mode.
        shape: Channels (1: grey, repeated to RGB inside, as in the paper; 3: RGB), height and width
            of its images.
        class_names: One for each logit.
        mean, std: Normalisation of images in [0, 1]: one number for each of the network's three channels,
            or one for all. A network of grey images for which both are one number has one channel.
        spec: Where it came from, as the user wrote it.
        card: Its provenance as plain data, if it came from a `ModelCard`.
        layout: The order in memory that the network works in (None: found out when it is first run).

    Attributes:
        passes_per_step: Forward and backward passes of an image in one step of an attack.

    Raises:
        InputError: If any of these is something else.
    """

    passes_per_step: ClassVar[int] = 2

    def __init__(
        self,
        network: nn.Module,
        *,
        shape: Iterable[int],
        class_names: Iterable[str],
        mean: SupportsFloat | Iterable[SupportsFloat] = (0.5, 0.5, 0.5),
        std: SupportsFloat | Iterable[SupportsFloat] = (0.5, 0.5, 0.5),
        spec: str = UNNAMED,
        card: dict[str, Any] | None = None,
        layout: torch.memory_format | None = None,
    ) -> None:
        super().__init__()
        self.shape: Shape = plain_shape(shape)
        self.class_names = plain_names(class_names)
        means, stds = plain_normalisation(mean, std, self.shape[0])
        if isinstance(network, Classifier):
            raise InputError("the network is a Classifier already: give the network inside it.")
        if len(self.class_names) < 2:
            raise InputError(
                "a classifier needs at least two classes (class_names, --classes), not "
                f"{len(self.class_names)}: of a network with one output, name both that it tells apart."
            )
        self.spec = str(spec)
        self.card = plain_card(card, freeze(network, self.said))
        self.network = network
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(means).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(stds).view(1, -1, 1, 1), persistent=False)
        self.found_layout = layout
        if layout is not None:
            network.to(memory_format=layout)
        self.training = False
        self.steady = self.checking = False

    @property
    def layout(self) -> torch.memory_format:
        """The order of images in memory that the network works in."""
        if self.found_layout is None:
            self.found_layout = choose_layout(self.network, self.normalised(noise(2, self.shape)))
        return self.found_layout

    def normalised(self, images: Images) -> Tensor:
        """Return what the network is given of images."""
        return (images.expand(-1, self.mean.shape[1], -1, -1) - self.mean) / self.std

    def forward(self, images: Images) -> Logits:
        n_classes = len(self.class_names)
        logits = as_table(self.outputs(images), len(images), {n_classes}, self.said)
        if logits.shape[1] != n_classes:
            raise InputError(misfit(self.said, logits.shape[1], self.class_names))
        return logits

    def outputs(self, images: Images) -> object:
        """Return what the network gives, as it gives it."""
        if images.ndim != 4 or not images.is_floating_point():
            raise InputError(
                "a classifier takes images in [0, 1] as floating-point numbers (N, C, H, W), not "
                f"{quoted(images.dtype)} {tuple(images.shape)}."
            )
        normalised = self.normalised(images).contiguous(memory_format=self.layout)
        return call(self.said, self.network, normalised)

    @property
    def said(self) -> str:
        """What sentences call it."""
        return "the model" if self.spec == UNNAMED else quoted(self.spec, 160)

    def check(self) -> None:
        """Run it on batches of one, two and three images.

        Raises:
            InputError: If it cannot take them, or gives no row of logits for each.
        """
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for n in BATCHES:
                self(noise(n, self.shape))

    def check_steady(self) -> None:
        """Check that each image has one answer, once: a few image passes, which are not counted.

        Raises:
            InputError: If it depends on the other images or on chance, or the weights change.
        """
        if self.steady or self.checking:
            return
        self.checking = True
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                reason = unsteady(self.in_own_unit, self.network, self.shape)
        finally:
            self.checking = False
        if reason:
            left_on = left_in_training(self.network)
            raise InputError(
                f"{self.said} {reason}{f' ({left_on})' if left_on else ''}, so no figures can be given of "
                "it: give a network in evaluation mode, without chance, state or a look at other images."
            )
        self.steady = True

    def in_own_unit(self, images: Images) -> Tensor:
        """Return what is compared of the logits: their logistic function where they were probabilities."""
        kind = self.network.kind if isinstance(self.network, Head) else self.card.get("head")
        logits: Logits = self(images)
        return logits.sigmoid() if kind in IN_UNIT_RANGE else logits

    def attacked(self, images: Images, clean: Images) -> Logits:
        """Return the logits of images that an attack learns on; `clean` is what they were before it."""
        return torch.as_tensor(self(images))

    def predict(self, images: Images) -> Labels:
        """Return the class of the largest logit for each image, as `decide` says.

        Raises:
            InputError: If it has none (see `decide` and `check_steady`).
        """
        self.check_steady()
        with torch.no_grad():
            return decide(self(images))

    def predict_all(self, images: ImageSet, batch_size: int = 64) -> Labels:
        """Return the predictions for a whole set."""
        self.check_steady()
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
                f"{quoted(repr(name))} is not a class of the model: it has {listed(self.class_names)}."
            )
        return self.class_names.index(name)

    @property
    def sha256(self) -> str:
        """Digest of the network's weights."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            try:
                digest.update(content(name, tensor))
            except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
                raise InputError(
                    f"{self.said} keeps {quoted(name)}, which is no plain tensor, in its state_dict: it "
                    "has no digest. Give it in float32, without quantised or packed layers."
                ) from error
        return digest.hexdigest()


def content(name: str, value: object) -> bytes:
    """Return an entry of a state_dict as bytes: a tensor, or what JSON can hold."""
    if not isinstance(value, Tensor):
        return f"{name} {json.dumps(value, sort_keys=True)}".encode()
    values = value.contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes()
    return f"{name} {tuple(value.shape)} {value.dtype}".encode() + values


def noise(n: int, shape: Shape) -> Images:
    """Make images of noise, the same each time."""
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0))


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
    passes, _ = Passes(), classifier.layout  # which is found out by passes of its own

    def backward(grad: Tensor) -> None:
        passes.backward += len(grad)

    def forward(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if classifier.checking:
            return
        passes.forward += len(inputs[0])
        if inputs[0].requires_grad:
            inputs[0].register_hook(backward)  # type: ignore[no-untyped-call]

    handle = classifier.network.register_forward_pre_hook(forward)
    try:
        yield passes
    finally:
        handle.remove()
