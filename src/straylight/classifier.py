"""A classifier: a network with its preprocessing inside, so that perturbations live in pixel space."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from straylight.errors import InputError
from straylight.images import RGB, ImageSet
from straylight.tensors import Images, Labels, Logits, Shape

SCHEMA = "straylight.model/1"


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
    """

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

    def predict(self, images: Images) -> Labels:
        """Return the class of the largest logit for each image."""
        with torch.no_grad():
            return torch.as_tensor(self(images).argmax(1))

    def predict_all(self, images: ImageSet, batch_size: int = 64) -> Labels:
        """Return the predictions for a whole set."""
        return torch.cat([self.predict(batch) for batch in images.batches(batch_size)])

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


@dataclass
class Passes:
    """Images sent through a classifier, forwards and backwards."""

    forward: int = 0
    backward: int = 0

    @property
    def total(self) -> int:
        return self.forward + self.backward


@contextmanager
def count_passes(classifier: nn.Module) -> Iterator[Passes]:
    """Count image passes while the context is open."""
    passes = Passes()

    def backward(grad: Tensor) -> None:
        passes.backward += len(grad)

    def forward(_: nn.Module, __: tuple[Tensor, ...], logits: Tensor) -> None:
        passes.forward += len(logits)
        if logits.requires_grad:
            logits.register_hook(backward)  # type: ignore[no-untyped-call]

    handle = classifier.register_forward_hook(forward)
    try:
        yield passes
    finally:
        handle.remove()


@dataclass(frozen=True)
class ModelCard:
    """All that is needed to build a classifier again, beside its weights (`model.json`).

    Attributes:
        architecture: A timm model name.
        arguments: Keyword arguments for `timm.create_model`.
        shape, class_names, mean, std: As in `Classifier`.
        training: How it was trained (free form, for provenance).
    """

    architecture: str
    arguments: dict[str, Any]
    shape: Shape
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    training: dict[str, Any]

    def build(self) -> nn.Module:
        """Build the network with random weights.

        Raises:
            InputError: If timm does not know the architecture or its arguments.
        """
        return build_network(self.architecture, self.arguments, len(self.class_names))

    def classifier(self, network: nn.Module, spec: str) -> Classifier:
        """Wrap a network that was built by this card (this freezes it, in evaluation mode)."""
        return Classifier(
            network,
            shape=self.shape,
            class_names=self.class_names,
            mean=self.mean,
            std=self.std,
            spec=spec,
            card=vars(self),
        )

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA, **vars(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        fields = json.loads(text)
        if fields.pop("schema", None) != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        for name in ("shape", "class_names", "mean", "std"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


def build_network(architecture: str, arguments: dict[str, Any], n_classes: int) -> nn.Module:
    """Build a timm model with random weights.

    Raises:
        InputError: If timm does not know the architecture or its arguments.
    """
    if not timm.is_model(architecture):
        near = (
            ", ".join(timm.list_models(f"*{architecture[:6]}*")[:5])
            or "timm.list_models() lists them"
        )
        raise InputError(f"timm has no model {architecture!r} (near: {near}).")
    try:
        network: nn.Module = timm.create_model(architecture, num_classes=n_classes, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"timm cannot build {architecture} with {arguments}: {error}.") from error
    return network


def save_classifier(folder: Path, network: nn.Module, card: ModelCard) -> None:
    """Write `model.safetensors` and `model.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "model.json").write_text(card.to_json())


def load_classifier(folder: str | Path) -> Classifier:
    """Load a folder written by `straylight finetune`.

    Raises:
        InputError: If a file is missing, is not safetensors, or does not fit the architecture.
    """
    root = Path(folder)
    for name in ("model.json", "model.safetensors"):
        if not (root / name).is_file():
            raise InputError(
                f"{root} has no {name}: give a folder written by 'straylight finetune'."
            )
    try:
        card = ModelCard.from_json((root / "model.json").read_text())
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{root / 'model.json'} is no Straylight model card: {error}.") from error
    network = card.build()
    load_weights(network, root / "model.safetensors")
    return card.classifier(network, str(folder))


def load_weights(network: nn.Module, path: Path, *, new_head: bool = False) -> None:
    """Load a safetensors state dict (never a pickle).

    Args:
        network: The network to fill.
        path: The weights file.
        new_head: Leave the network's classification head as it is: the file's may have other classes.

    Raises:
        InputError: If the file is missing, is not safetensors, or does not fit.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist: give a .safetensors file.")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is not a safetensors file ({error}); pickled checkpoints are never loaded, "
            "since they can run code: convert it with safetensors.torch.save_file."
        ) from error
    target = network.state_dict()
    if new_head:
        head = head_prefixes(network)
        weights = {name: w for name, w in weights.items() if not name.startswith(head)}
        weights |= {name: w for name, w in target.items() if name.startswith(head)}
    # The counters of batch norm are not always exported and do not change what a network computes.
    weights = {n: w for n, w in target.items() if n.endswith("num_batches_tracked")} | weights
    wrong = [n for n in target if n not in weights or weights[n].shape != target[n].shape]
    wrong += [name for name in weights if name not in target]
    if wrong:
        raise InputError(
            f"{path} does not fit the architecture: {len(wrong)} tensors are missing, left over or of "
            f"another shape (first: {wrong[0]})."
        )
    network.load_state_dict(weights)


def head_prefixes(network: nn.Module) -> tuple[str, ...]:
    """Names of the classification head's parameters in a timm model."""
    names = getattr(network, "default_cfg", {}).get("classifier", "classifier")
    names = names if isinstance(names, tuple | list) else (names,)
    return tuple(f"{name}." for name in names)
