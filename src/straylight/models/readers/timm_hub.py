"""timm models as the Hugging Face hub keeps them: a configuration and safetensors."""

import re
from pathlib import Path
from typing import Any

from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.limits import LARGEST_SIDE
from straylight.core.strict_json import read_json
from straylight.models.backbones import build_network
from straylight.models.constructor_arguments import Check, number, whole
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.size_limit import Budget
from straylight.models.weights import INDEX, WEIGHTS, load_weights

HUB = "hf_hub:"
CONFIG = "config.json"
# All that is ever downloaded.
FILES = [CONFIG, WEIGHTS, INDEX, "model-?????-of-?????.safetensors"]
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[\w.-]{1,96}){0,4}", re.ASCII)
MOST_CLASSES = 2**16
WRAPPER, WRAPPED = (
    "timm_wrapper",
    "resnet50",
)  # transformers' name for a timm model, and its default


def read_hub(spec: str, options: ModelOptions) -> Brought:
    """Download ``hf_hub:ORG/NAME[@REVISION]``: a configuration and its weights, none of them a pickle."""
    name, at, revision = spec.removeprefix(HUB).partition("@")
    plain = NAME.fullmatch(name) and (not at or REVISION.fullmatch(revision))
    if not plain or ".." in spec or "--" in name:
        raise InputError(f"'{quoted(spec)}' is not hf_hub:ORG/NAME or hf_hub:ORG/NAME@REVISION.")
    try:
        from huggingface_hub import snapshot_download

        folder = snapshot_download(name, revision=revision or None, allow_patterns=FILES)
    except Exception as error:
        # The hub's client raises kinds of its own, of its connection, and of the file system.
        raise InputError(
            f"{spec} cannot be had from the Hugging Face hub ({reason_of(error)}): check the name and "
            "the connection."
        ) from error
    return read_timm_folder(spec, Path(folder), options)


def read_timm_folder(spec: str, folder: Path, _: ModelOptions) -> Brought:
    """Read a folder in timm's hub layout, or what transformers saves of a timm model."""
    size = size_of_weights(spec, folder)
    config = read_config(spec, folder)
    # Older files keep everything in one table.
    said = field(spec, config, "pretrained_cfg", is_table)
    said = config if said is None else said
    n_classes, classes = number_of_classes(spec, config, said), names_of_classes(spec, config, said)
    arguments = field(spec, config, "model_args", is_table) or {}
    arguments = {key: value for key, value in arguments.items() if key != "num_classes"}
    architecture = field(spec, config, "architecture", is_text)
    if architecture is None and config.get("model_type") == WRAPPER:
        architecture = WRAPPED
    try:
        with Budget(spec, size):
            network = build_network(architecture or "", arguments, n_classes)
    except InputError as error:
        raise InputError(
            str(error) if str(error).startswith(f"{spec} ") else f"{spec}: {error}"
        ) from error
    notes = load_weights(network, folder)
    channels, side, _width = field(spec, said, "input_size", is_size) or (0, 0, 0)
    mean, std = (tuple(field(spec, said, key, is_numbers) or ()) for key in ("mean", "std"))
    fits = len(mean) == len(std) == channels
    return Brought(
        network,
        architecture or "",
        arguments,
        size=side,
        mean=mean if fits else (),
        std=std if fits else (),
        classes=classes,
        notes=notes,
    )


def number_of_classes(spec: str, config: dict[str, Any], said: dict[str, Any]) -> int:
    """Return the number of outputs."""
    table = config if "num_classes" in config else said
    found = field(spec, table, "num_classes", whole(1, MOST_CLASSES))
    if found is None:
        raise InputError(f"{spec} is no classifier: its {CONFIG} says no num_classes.")
    return int(found)


def names_of_classes(spec: str, config: dict[str, Any], said: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the outputs (none: not said)."""
    for table, key in ((config, "label_names"), (said, "label_names"), (said, "labels")):
        names = field(spec, table, key, is_names)
        if names:
            return tuple(names)
    return ()


def field(spec: str, table: dict[str, Any], key: str, check: Check) -> Any:  # noqa: ANN401
    """Return a field of a configuration (none: not said).

    Raises:
        InputError: If it is of another type or size than a library writes.
    """
    value = table.get(key)
    if value is not None and not check(value):
        raise InputError(
            f"{spec} has a {CONFIG} whose {key} is '{quoted(repr(value)[:99], 40)}', which its library "
            "does not write."
        )
    return value


def is_table(value: object) -> bool:
    """Return whether a value is a table."""
    return isinstance(value, dict)


def is_text(value: object) -> bool:
    """Return whether a value is a short text."""
    return isinstance(value, str) and len(value) <= 200


def is_names(value: object) -> bool:
    """Return whether a value is a list of short texts."""
    return isinstance(value, list) and len(value) <= MOST_CLASSES and all(map(is_text, value))


def is_numbers(value: object) -> bool:
    """Return whether a value is one number for each channel."""
    return isinstance(value, list) and len(value) <= 3 and all(map(number(-1e6, 1e6), value))


def is_size(value: object) -> bool:
    """Return whether a value is channels, height and width."""
    channels, side = whole(1, 16), whole(1, LARGEST_SIDE)
    return (
        isinstance(value, list)
        and len(value) == 3
        and channels(value[0])
        and all(map(side, value[1:]))
    )


def size_of_weights(spec: str, folder: Path) -> int:
    """Return the bytes of a folder's safetensors.

    Raises:
        InputError: If it has none.
    """
    if not (folder / WEIGHTS).is_file() and not (folder / INDEX).is_file():
        raise InputError(
            f"{spec} has no {WEIGHTS}: pickled weights such as pytorch_model.bin can run code and are "
            "not read; save it with save_pretrained(FOLDER), or convert them with "
            "safetensors.torch.save_file."
        )
    pattern = WEIGHTS if (folder / WEIGHTS).is_file() else FILES[-1]
    return sum(file.stat().st_size for file in folder.glob(pattern) if file.is_file())


def read_config(spec: str, folder: Path) -> dict[str, Any]:
    """Read `config.json`."""
    try:
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict):
            raise ValueError("it is no table")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{spec} has a {CONFIG} that cannot be read ({reason_of(error)})."
        ) from error
    return config
