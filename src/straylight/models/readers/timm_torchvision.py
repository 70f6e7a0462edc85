"""Networks of timm and torchvision by their names, with the user's weights."""

from pathlib import Path
from typing import Any

from straylight.core.errors import InputError
from straylight.data.images import RGB
from straylight.models.backbones import IMAGENET, build_network, own_normalisation
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.weights import load_weights

TIMM = "timm:"


def read_named(spec: str, options: ModelOptions) -> Brought:
    """Build ``timm:NAME`` or ``torchvision:NAME`` and fill it with safetensors."""
    if not options.weights or not options.classes:
        raise InputError(f"{spec} needs --weights FILE.safetensors and --classes NAME NAME ...")
    architecture = spec.removeprefix(TIMM)
    network = build_network(architecture, {}, len(options.classes))
    notes = load_weights(network, Path(options.weights))
    said: dict[str, Any] = getattr(network, "default_cfg", {})
    mean, std = own_normalisation(architecture, {}) or IMAGENET
    return Brought(
        network,
        architecture,
        size=said.get("input_size", (RGB, 224, 224))[1],
        mean=mean,
        std=std,
        notes=notes,
    )
