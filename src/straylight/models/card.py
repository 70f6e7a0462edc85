"""Save and load a classifier's folder: `model.safetensors` and `model.json` (the model card)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import torch
from torch import nn

from straylight.core.bounded_read import read_bounded, sha256_of_file
from straylight.core.conventions import Shape
from straylight.core.errors import InputError, reason_of
from straylight.core.files import digest_files, make_folder, write_text
from straylight.core.json_schema import check_json_schema, format_schema_error
from straylight.core.limits import LARGEST_SIDE
from straylight.core.strict_json import parse_json
from straylight.core.tensor_files import write_tensors
from straylight.models.backbones import build_network
from straylight.models.classifier import Classifier
from straylight.models.files import CARD_FILE, WEIGHTS
from straylight.models.size_limit import TensorSizeLimit
from straylight.models.weights import load_weights

SCHEMA = "straylight.model/1"
WEIGHTS_DIGEST = "model_sha256"  # key in a card's `training`: digest of the weights file beside it
LARGEST_CARD = 2**22  # bytes
NUMBER = {"type": "number", "minimum": -1e6, "maximum": 1e6}
CHANNELS = {"type": "array", "minItems": 1, "maxItems": 3, "items": NUMBER}
SIDE = {"type": "integer", "minimum": 1, "maximum": LARGEST_SIDE}
FIELDS: dict[str, dict[str, Any]] = {
    "schema": {"const": SCHEMA},
    "architecture": {"type": "string"},
    "arguments": {"type": "object"},
    "shape": {
        "type": "array",
        "prefixItems": [{"enum": [1, 3], "type": "integer"}, SIDE, SIDE],
        "minItems": 3,
        "maxItems": 3,
    },
    "class_names": {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 2,
        "maxItems": 2**16,
        "uniqueItems": True,
    },
    "mean": CHANNELS,
    "std": CHANNELS | {"items": NUMBER | {"minimum": 1e-6}},
    "training": {"type": "object"},
}
CARD = {
    "type": "object",
    "properties": FIELDS,
    "required": list(FIELDS),
    "additionalProperties": False,
}


@dataclass(frozen=True)
class ModelCard:
    """Everything needed to rebuild a classifier except its weights (`model.json`).

    Attributes:
        architecture: A timm model name, or ``torchvision:NAME``.
        arguments: Keyword arguments for the library's constructor.
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
            InputError: If its library does not know the architecture or its arguments.
        """
        return build_network(self.architecture, self.arguments, len(self.class_names))

    def classifier(self, network: nn.Module, spec: str, files: Iterable[Path] = ()) -> Classifier:
        """Wrap a network built from this card in a `Classifier` (frozen, in evaluation mode).

        Args:
            network: The network.
            spec: Where it came from.
            files: Files it was read from; their digests are recorded.
        """
        return Classifier(
            network,
            shape=self.shape,
            class_names=self.class_names,
            mean=self.mean,
            std=self.std,
            spec=spec,
            card=vars(self) | {"files": digest_files(files)} if files else vars(self),
            layout=torch.channels_last,  # as in training
        )

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA, **vars(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Parse a card.

        Raises:
            ValueError: If it is not JSON, or mean and std do not have 1 or 3 values each.
            jsonschema.ValidationError: If a field is missing, unknown or of the wrong type.
        """
        fields = parse_json(text)
        if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        check_json_schema(fields, CARD)
        del fields["schema"]
        if len(fields["mean"]) != len(fields["std"]) or len(fields["mean"]) == 2:
            raise ValueError("mean and std need one number for each of 1 or 3 channels")
        for name in ("shape", "class_names", "mean", "std"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


def save_classifier(folder: Path, network: nn.Module, card: ModelCard) -> ModelCard:
    """Write `model.safetensors` and `model.json` with its digest; return the card as written."""
    make_folder(folder)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    write_tensors(folder / WEIGHTS, weights)
    training = card.training | {WEIGHTS_DIGEST: sha256_of_file(folder / WEIGHTS)}
    # Written last: its presence means that the folder is complete.
    complete = replace(card, training=training)
    write_text(folder / CARD_FILE, complete.to_json())
    return complete


def load_classifier(folder: str | Path) -> Classifier:
    """Load a folder written by `straylight finetune`.

    Raises:
        InputError: If a file is missing, is not safetensors, or does not fit the architecture.
    """
    root = Path(folder)
    for name in (CARD_FILE, WEIGHTS):
        if not (root / name).is_file():
            raise InputError(
                f"{root} has no {name}: give a folder written by 'straylight finetune'."
            )
    try:
        card = ModelCard.from_json(read_bounded(root / CARD_FILE, LARGEST_CARD).decode("utf-8"))
    except jsonschema.ValidationError as error:
        raise InputError(
            f"{root / 'model.json'} is not a Straylight model card {format_schema_error(error)}."
        ) from error
    except (ValueError, OSError) as error:
        raise InputError(
            f"{root / 'model.json'} is not a Straylight model card: {reason_of(error)}."
        ) from error
    try:
        with TensorSizeLimit(str(root / "model.json"), (root / "model.safetensors").stat().st_size):
            network = card.build()
    except InputError as error:
        raise InputError(f"{root / 'model.json'}: {error}") from error
    load_weights(network, root / WEIGHTS)
    _check_weights_digest(root, card)
    return card.classifier(network, str(folder), [root / CARD_FILE, root / WEIGHTS])


def _check_weights_digest(root: Path, card: ModelCard) -> None:
    """Check that the weights match the digest in the card, if it has one.

    Raises:
        InputError: If they differ.
    """
    if (
        WEIGHTS_DIGEST in card.training
        and sha256_of_file(root / WEIGHTS) != card.training[WEIGHTS_DIGEST]
    ):
        raise InputError(
            f"{root / WEIGHTS} does not match {CARD_FILE} (its digest differs): train the model again, or "
            "restore the original file."
        )
