"""timm models as the Hugging Face hub keeps them: `config.json` and `model.safetensors`."""

import json
from pathlib import Path
from typing import Any

from straylight.backbones import build_network
from straylight.errors import InputError
from straylight.readers.brought import Brought, ModelOptions, reason_of
from straylight.weights import load_weights

HUB = "hf_hub:"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def read_hub(spec: str, options: ModelOptions) -> Brought:
    """Download ``hf_hub:ORG/NAME[@REVISION]``: two files, none of them a pickle."""
    name, _, revision = spec.removeprefix(HUB).partition("@")
    try:
        from huggingface_hub import snapshot_download

        folder = snapshot_download(
            name, revision=revision or None, allow_patterns=[CONFIG, WEIGHTS]
        )
    except Exception as error:
        # The hub's client raises kinds of its own, of its connection, and of the file system.
        raise InputError(
            f"{spec} cannot be had from the Hugging Face hub ({reason_of(error)}): check the name and "
            "the connection."
        ) from error
    return read_timm_folder(spec, Path(folder), options)


def read_timm_folder(spec: str, folder: Path, _: ModelOptions) -> Brought:
    """Read a folder in timm's hub layout."""
    if not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{spec} has no {WEIGHTS}: pickled weights such as pytorch_model.bin can run code and are "
            "not read; ask for safetensors, or convert them with safetensors.torch.save_file."
        )
    config = read_config(spec, folder)
    # Older files keep everything in one table.
    said: dict[str, Any] = config.get("pretrained_cfg", config)
    n_classes = config.get("num_classes", said.get("num_classes"))
    arguments = config.get("model_args", {})
    if not isinstance(n_classes, int) or n_classes < 1 or not isinstance(arguments, dict):
        raise InputError(f"{spec} is no classifier: its {CONFIG} says no num_classes.")
    arguments = {key: value for key, value in arguments.items() if key != "num_classes"}
    network = build_network(str(config.get("architecture")), arguments, n_classes)
    load_weights(network, folder / WEIGHTS)
    channels, side = said.get("input_size", (0, 0, 0))[:2]
    mean, std = tuple(said.get("mean", ())), tuple(said.get("std", ()))
    fits = len(mean) == len(std) == channels
    labels = config.get("label_names", said.get("label_names", said.get("labels"))) or ()
    return Brought(
        network,
        config["architecture"],
        arguments,
        size=side,
        mean=mean if fits else (),
        std=std if fits else (),
        classes=tuple(map(str, labels)),
    )


def read_config(spec: str, folder: Path) -> dict[str, Any]:
    """Read `config.json`."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is no table")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{spec} has no {CONFIG} that can be read ({reason_of(error)})."
        ) from error
    return config
