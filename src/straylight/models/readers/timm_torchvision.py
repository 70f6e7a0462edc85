"""Read networks of timm and torchvision by name, with the user's weights."""

from pathlib import Path
from typing import Any

from straylight.core.errors import InputError
from straylight.data.images import RGB
from straylight.models.backbones import IMAGENET, build_network, pretrained_normalisation
from straylight.models.options import ModelOptions
from straylight.models.readers.network import LoadedNetwork
from straylight.models.weights import load_weights

TIMM = "timm:"


def read_timm_torchvision(spec: str, options: ModelOptions) -> LoadedNetwork:
    """Build ``timm:NAME`` or ``torchvision:NAME`` and load the user's safetensors into it."""
    if not options.weights or not options.classes:
        raise InputError(f"{spec} needs --weights FILE.safetensors and --classes NAME NAME ...")
    architecture = spec.removeprefix(TIMM)
    network = build_network(architecture, {}, len(options.classes))
    notes = load_weights(network, Path(options.weights))
    config: dict[str, Any] = getattr(network, "default_cfg", {})
    mean, std = pretrained_normalisation(architecture, {}) or IMAGENET
    return LoadedNetwork(
        network,
        architecture,
        size=config.get("input_size", (RGB, 224, 224))[1],
        mean=mean,
        std=std,
        notes=notes,
    )
