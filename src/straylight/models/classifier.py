"""The classifier: a network with its preprocessing inside, so that perturbations are in pixel space."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, ClassVar, SupportsFloat

import torch
from torch import Tensor, nn

from straylight.core.conventions import Shape
from straylight.core.errors import InputError, join_names, quote_text
from straylight.core.tensors import Images, Labels, Logits
from straylight.data.images import ImageSet
from straylight.models.determinism import PROBABILITY_KINDS, find_nondeterminism
from straylight.models.evaluation_mode import call_network, freeze_network, layers_in_training_mode
from straylight.models.memory_format import choose_layout
from straylight.models.outputs import ToLogits
from straylight.models.raw_outputs import as_table
from straylight.models.specification import (
    copy_card,
    describe_class_mismatch,
    parse_class_names,
    parse_image_shape,
    parse_normalisation,
)

UNNAMED = "python"  # the spec of a classifier that was created in Python
CHECKED_BATCH_SIZES = (1, 2, 3)  # batch sizes that `Classifier.check` runs


class Classifier(nn.Module):
    """A network from images in [0, 1] to logits, with its preprocessing.

    Every batch of N images gives float32 logits (N, classes), finite or not. Outputs in a container are
    unwrapped and squeezed axes restored (see `as_table`); anything else is an `InputError`.

    Args:
        network: Maps normalised RGB images (N, 3, H, W) to logits (N, classes). Its parameters are
            frozen and converted to float32, and it is put in evaluation mode.
        shape: Channels (1: grey, repeated to RGB inside, as in the paper; 3: RGB), height and width
            of its images.
        class_names: One for each logit.
        mean, std: Normalisation of images in [0, 1]: one number for each of the network's three channels,
            or one for all. If the images are grey and both are one number, the network has one channel.
        spec: Where it came from, as the user wrote it.
        card: Its provenance as plain data, if it came from a `ModelCard`.
        layout: Memory format for the network (None: chosen when it is first run).

    Attributes:
        passes_per_step: Forward and backward passes per image in one step of an attack.

    Raises:
        InputError: If an argument is invalid.
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
        self.shape: Shape = parse_image_shape(shape)
        self.class_names = parse_class_names(class_names)
        means, stds = parse_normalisation(mean, std, self.shape[0])
        if isinstance(network, Classifier):
            raise InputError("the network is already a Classifier: give the network inside it.")
        if len(self.class_names) < 2:
            raise InputError(
                "a classifier needs at least two classes (class_names, --classes), not "
                f"{len(self.class_names)}: for a network with one output, name both classes."
            )
        self.spec = str(spec)
        self.card = copy_card(card, freeze_network(network, self.display_name))
        self.network = network
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(means).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(stds).view(1, -1, 1, 1), persistent=False)
        self._layout = layout
        if layout is not None:
            network.to(memory_format=layout)
        self.training = False
        self._is_deterministic = self.is_checking = False

    @property
    def layout(self) -> torch.memory_format:
        """Memory format in which the network is run."""
        if self._layout is None:
            self._layout = choose_layout(
                self.network, self.normalise(make_noise_images(2, self.shape))
            )
        return self._layout

    def normalise(self, images: Images) -> Tensor:
        """Return the images as the network's normalised input."""
        return (images.expand(-1, self.mean.shape[1], -1, -1) - self.mean) / self.std

    def forward(self, images: Images) -> Logits:
        n_classes = len(self.class_names)
        logits = as_table(self.outputs(images), len(images), {n_classes}, self.display_name)
        if logits.shape[1] != n_classes:
            raise InputError(
                describe_class_mismatch(self.display_name, logits.shape[1], self.class_names)
            )
        return logits

    def outputs(self, images: Images) -> object:
        """Return the network's raw outputs."""
        if images.ndim != 4 or not images.is_floating_point():
            raise InputError(
                "a classifier takes images in [0, 1] as floating-point numbers (N, C, H, W), not "
                f"{quote_text(images.dtype)} {tuple(images.shape)}."
            )
        normalised = self.normalise(images).contiguous(memory_format=self.layout)
        return call_network(self.display_name, self.network, normalised)

    @property
    def display_name(self) -> str:
        """Name of the model for messages."""
        return "the model" if self.spec == UNNAMED else quote_text(self.spec, 160)

    def check(self) -> None:
        """Check that batches of one, two and three images give a row of logits for each image.

        Raises:
            InputError: If they do not.
        """
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for n in CHECKED_BATCH_SIZES:
                self(make_noise_images(n, self.shape))

    def check_determinism(self) -> None:
        """Check once that the logits of an image are reproducible (a few image passes, not counted).

        Raises:
            InputError: If they depend on the other images or on chance, or if the weights change.
        """
        if self._is_deterministic or self.is_checking:
            return
        self.is_checking = True
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                reason = find_nondeterminism(self._comparable_outputs, self.network, self.shape)
        finally:
            self.is_checking = False
        if reason:
            left_on = layers_in_training_mode(self.network)
            raise InputError(
                f"{self.display_name} {reason}{f' ({left_on})' if left_on else ''}, so it cannot be "
                "audited: give a network in evaluation mode, without randomness, state or dependence on "
                "other images."
            )
        self._is_deterministic = True

    def _comparable_outputs(self, images: Images) -> Tensor:
        """Return the logits, or their logistic function if the network gives probabilities."""
        kind = self.network.kind if isinstance(self.network, ToLogits) else self.card.get("head")
        logits: Logits = self(images)
        return logits.sigmoid() if kind in PROBABILITY_KINDS else logits

    def attack_logits(self, images: Images, clean: Images) -> Logits:
        """Return the logits of attacked images; `clean` are the same images before the attack."""
        return torch.as_tensor(self(images))

    def predict(self, images: Images) -> Labels:
        """Return the class of the largest logit for each image.

        Raises:
            InputError: If a logit is NaN, or the logits are not reproducible (see `check_determinism`).
        """
        self.check_determinism()
        with torch.no_grad():
            return _predicted_labels(self(images))

    def predict_all(self, images: ImageSet, batch_size: int = 64) -> Labels:
        """Return the predicted labels of an image set."""
        self.check_determinism()
        return _predicted_labels(self.logits_all(images, batch_size))

    def logits_all(self, images: ImageSet, batch_size: int = 64) -> Logits:
        """Return the logits of an image set."""
        with torch.no_grad():
            return torch.cat([self(batch) for batch in images.batches(batch_size)])

    def class_index(self, name: str) -> int:
        """Return the index of a class.

        Raises:
            InputError: If there is no such class.
        """
        if name not in self.class_names:
            raise InputError(
                f"{quote_text(repr(name))} is not a class of the model: it has "
                f"{join_names(self.class_names)}."
            )
        return self.class_names.index(name)

    @property
    def sha256(self) -> str:
        """SHA-256 digest of the network's state dict."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            try:
                digest.update(_state_entry_bytes(name, tensor))
            except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
                raise InputError(
                    f"{self.display_name} keeps {quote_text(name)}, which is not a plain tensor, in its "
                    "state_dict, so no digest can be computed: give it in float32, without quantised or "
                    "packed layers."
                ) from error
        return digest.hexdigest()


def _state_entry_bytes(name: str, value: object) -> bytes:
    """Return an entry of a state dict (a tensor or JSON data) as bytes."""
    if not isinstance(value, Tensor):
        return f"{name} {json.dumps(value, sort_keys=True)}".encode()
    values = value.contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes()
    return f"{name} {tuple(value.shape)} {value.dtype}".encode() + values


def make_noise_images(n: int, shape: Shape) -> Images:
    """Return `n` images of uniform noise, always the same."""
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0))


def _predicted_labels(logits: Logits) -> Labels:
    """Return the class of the largest logit for each image.

    Raises:
        InputError: If a logit is NaN: `argmax` would return a class all the same.
    """
    if bad := int(logits.isnan().any(1).sum()):
        raise InputError(
            f"the model gives NaN for {bad} of {len(logits)} images, so they have no predicted class: "
            "check what it computes in float32 on such images."
        )
    return logits.argmax(1)
