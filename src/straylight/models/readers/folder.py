"""Folders: each kind is recognised by the files in it."""

from pathlib import Path

from straylight.models.card import load_classifier
from straylight.models.classifier import Classifier
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.readers.timm_hub import CONFIG, WRAPPER, read_config, read_timm_folder
from straylight.models.readers.transformers import read_transformers_folder


def read_folder(spec: str, options: ModelOptions) -> Brought | Classifier:
    """Read a folder of `straylight finetune`, of timm (hub layout) or of `transformers`."""
    folder = Path(spec)
    if (folder / "model.json").is_file() or not (folder / CONFIG).exists():
        return load_classifier(folder)
    config = read_config(spec, folder)
    if "architecture" in config or config.get("model_type") == WRAPPER:
        return read_timm_folder(spec, folder, options)
    return read_transformers_folder(spec, folder, config)
