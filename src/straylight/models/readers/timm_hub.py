"""Read timm models in the Hugging Face hub's layout: a configuration and safetensors."""

import re
from pathlib import Path
from typing import Any

from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.limits import LARGEST_SIDE
from straylight.core.strict_json import read_json
from straylight.models.backbones import build_network
from straylight.models.constructor_arguments import ValueCheck, integer_between, number_between
from straylight.models.options import ModelOptions
from straylight.models.readers.network import LoadedNetwork
from straylight.models.size_limit import TensorSizeLimit
from straylight.models.weights import INDEX, WEIGHTS, load_weights

HUB = "hf_hub:"
CONFIG = "config.json"
# The only files that are downloaded.
DOWNLOADED_FILES = [CONFIG, WEIGHTS, INDEX, "model-?????-of-?????.safetensors"]
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[\w.-]{1,96}){0,4}", re.ASCII)
MOST_CLASSES = 2**16
# transformers' name for a timm model, and its default architecture.
WRAPPER, WRAPPED = "timm_wrapper", "resnet50"


def read_timm_hub(spec: str, options: ModelOptions) -> LoadedNetwork:
    """Download and read ``hf_hub:ORG/NAME[@REVISION]``: a configuration and safetensors, no pickles."""
    name, at, revision = spec.removeprefix(HUB).partition("@")
    plain = NAME.fullmatch(name) and (not at or REVISION.fullmatch(revision))
    if not plain or ".." in spec or "--" in name:
        raise InputError(
            f"'{quote_text(spec)}' is not hf_hub:ORG/NAME or hf_hub:ORG/NAME@REVISION."
        )
    try:
        from huggingface_hub import snapshot_download

        folder = snapshot_download(name, revision=revision or None, allow_patterns=DOWNLOADED_FILES)
    except Exception as error:
        # The hub's client raises exceptions of its own, of the connection and of the file system.
        raise InputError(
            f"{spec} cannot be downloaded from the Hugging Face hub ({reason_of(error)}): check the name "
            "and the connection."
        ) from error
    return read_timm_folder(spec, Path(folder), options)


def read_timm_folder(spec: str, folder: Path, _: ModelOptions) -> LoadedNetwork:
    """Read a folder in timm's hub layout, or a timm model saved by transformers."""
    size = weights_size(spec, folder)
    config = read_hub_config(spec, folder)
    # Older files have everything in one table.
    pretrained = _config_field(spec, config, "pretrained_cfg", _is_table)
    pretrained = config if pretrained is None else pretrained
    n_classes, classes = (
        _class_count(spec, config, pretrained),
        _label_names(spec, config, pretrained),
    )
    arguments = _config_field(spec, config, "model_args", _is_table) or {}
    arguments = {key: value for key, value in arguments.items() if key != "num_classes"}
    architecture = _config_field(spec, config, "architecture", is_short_text)
    if architecture is None and config.get("model_type") == WRAPPER:
        architecture = WRAPPED
    try:
        with TensorSizeLimit(spec, size):
            network = build_network(architecture or "", arguments, n_classes)
    except InputError as error:
        raise InputError(
            str(error) if str(error).startswith(f"{spec} ") else f"{spec}: {error}"
        ) from error
    notes = load_weights(network, folder)
    channels, side, _width = _config_field(spec, pretrained, "input_size", _is_input_size) or (
        0,
        0,
        0,
    )
    mean, std = (
        tuple(_config_field(spec, pretrained, key, is_channel_values) or ())
        for key in ("mean", "std")
    )
    fits = len(mean) == len(std) == channels
    return LoadedNetwork(
        network,
        architecture or "",
        arguments,
        size=side,
        mean=mean if fits else (),
        std=std if fits else (),
        classes=classes,
        notes=notes,
    )


def _class_count(spec: str, config: dict[str, Any], pretrained: dict[str, Any]) -> int:
    """Return the number of outputs."""
    table = config if "num_classes" in config else pretrained
    found = _config_field(spec, table, "num_classes", integer_between(1, MOST_CLASSES))
    if found is None:
        raise InputError(f"{spec} is not a classifier: its {CONFIG} has no num_classes.")
    return int(found)


def _label_names(spec: str, config: dict[str, Any], pretrained: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the outputs (empty: unknown)."""
    for table, key in (
        (config, "label_names"),
        (pretrained, "label_names"),
        (pretrained, "labels"),
    ):
        names = _config_field(spec, table, key, _is_text_list)
        if names:
            return tuple(names)
    return ()


def _config_field(spec: str, table: dict[str, Any], key: str, check: ValueCheck) -> Any:  # noqa: ANN401
    """Return a field of a configuration (None: missing).

    Raises:
        InputError: If it has another type or size than its library writes.
    """
    value = table.get(key)
    if value is not None and not check(value):
        raise InputError(
            f"{spec} has a {CONFIG} whose {key} is '{quote_text(repr(value)[:99], 40)}', which its library "
            "does not write: save the model again."
        )
    return value


def _is_table(value: object) -> bool:
    """Return whether a value is a table."""
    return isinstance(value, dict)


def is_short_text(value: object) -> bool:
    """Return whether a value is a short string."""
    return isinstance(value, str) and len(value) <= 200


def _is_text_list(value: object) -> bool:
    """Return whether a value is a list of short strings."""
    return isinstance(value, list) and len(value) <= MOST_CLASSES and all(map(is_short_text, value))


def is_channel_values(value: object) -> bool:
    """Return whether a value is one number for each channel."""
    return (
        isinstance(value, list) and len(value) <= 3 and all(map(number_between(-1e6, 1e6), value))
    )


def _is_input_size(value: object) -> bool:
    """Return whether a value is channels, height and width."""
    channels, side = integer_between(1, 16), integer_between(1, LARGEST_SIDE)
    return (
        isinstance(value, list)
        and len(value) == 3
        and channels(value[0])
        and all(map(side, value[1:]))
    )


def weights_size(spec: str, folder: Path) -> int:
    """Return the size of a folder's safetensors in bytes.

    Raises:
        InputError: If it has none.
    """
    if not (folder / WEIGHTS).is_file() and not (folder / INDEX).is_file():
        raise InputError(
            f"{spec} has no {WEIGHTS}: pickled weights such as pytorch_model.bin can run code and are "
            "not read; save the model with save_pretrained(FOLDER), or convert the weights with "
            "safetensors.torch.save_file."
        )
    pattern = WEIGHTS if (folder / WEIGHTS).is_file() else DOWNLOADED_FILES[-1]
    return sum(file.stat().st_size for file in folder.glob(pattern) if file.is_file())


def read_hub_config(spec: str, folder: Path) -> dict[str, Any]:
    """Read `config.json`."""
    try:
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict):
            raise ValueError("it is not a table")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{spec} has a {CONFIG} that cannot be read ({reason_of(error)})."
        ) from error
    return config
