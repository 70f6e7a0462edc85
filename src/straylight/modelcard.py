"""A classifier's folder: `model.safetensors`, and `model.json` that says how to build it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from straylight.backbones import build_network
from straylight.classifier import Classifier
from straylight.errors import InputError
from straylight.files import write_text
from straylight.tensors import Shape
from straylight.weights import load_weights

SCHEMA = "straylight.model/1"


@dataclass(frozen=True)
class ModelCard:
    """All that is needed to build a classifier again, beside its weights (`model.json`).

    Attributes:
        architecture: A timm model name, or ``torchvision:NAME``.
        arguments: Keyword arguments for the library that builds it.
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


def save_classifier(folder: Path, network: nn.Module, card: ModelCard) -> None:
    """Write `model.safetensors` and `model.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    write_text(folder / "model.json", card.to_json())  # last: it says that the folder is whole


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
