"""Read programs of `torch.export` (.pt2).

`torch.export.load` is not safe for untrusted files (torch 2.15, `torch/export/pt2_archive/_package.py` and
`torch/_export/serde/serialize.py`). It unpickles sample inputs, weights and constants marked `use_pickle`,
custom and opaque objects and the entire older format; it loads shared libraries (AOTInductor); it
evaluates the program's symbolic sizes (`sympy.sympify`) and guards as Python; it imports modules that an
argument tree names; it accepts any function below `torch` as an operator; and it writes the program's
names into Python source, which it runs.

Therefore only the plain parts are read: weights and constants as raw bytes, and a program that has passed
`export_checks.py`. torch gets a new archive made from them.
"""

import json
import logging
import re
import warnings
from pathlib import Path
from typing import Any

from torch import nn

from straylight.core.errors import InputError, quote_text, reason_of
from straylight.data.images import RGB
from straylight.models.options import ModelOptions
from straylight.models.readers.export_checks import (
    check_program,
    check_strings,
    exported_input_shape,
)
from straylight.models.readers.network import (
    LoadedNetwork,
    ProgramNetwork,
    UnsupportedModelError,
    non_float32_fault,
)
from straylight.models.readers.torch_archive import read_records, write_records
from straylight.models.readers.torch_operators import returns_new_memory
from straylight.models.readers.trial import answer_fault, try_in_subprocess

HEADER = ("archive_format", "archive_version", "version", ".data/version", "byteorder")
CONFIGS = {
    "data/weights/": ("data/weights/{}_weights_config.json", re.compile(r"weight_\d+")),
    "data/constants/": ("data/constants/{}_constants_config.json", re.compile(r"tensor_\d+")),
}
REEXPORT_HINT = (
    "export it again with torch.export.save, or save the state_dict with "
    "safetensors.torch.save_file, or give python:MODULE:FUNCTION"
)


def read_torch_export(spec: str, options: ModelOptions) -> LoadedNetwork:
    """Read ``FILE.pt2``.

    Raises:
        InputError: If anything in it would have to be unpickled or evaluated, it is not an image
            classifier, or it was exported for one batch size or in training mode.
    """
    records = read_records(Path(spec), _is_needed_record)
    try:
        kept, program = _extract_plain_records(records)
    except UnsupportedModelError as refusal:
        raise InputError(f"{spec} {refusal}, and is not read: {REEXPORT_HINT}.") from refusal
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{spec} is not a program of torch.export ({reason_of(error)}): {REEXPORT_HINT}."
        ) from error
    batch, channels, height, width = exported_input_shape(spec, program)
    if batch is not None:
        raise InputError(
            f"{spec} was exported for batches of exactly {batch}: export it again with "
            'dynamic_shapes=({0: torch.export.Dim("batch")},).'
        )
    network = _load_exported_program(spec, kept)
    if fault := non_float32_fault(network) or _mutation_fault(network):
        raise InputError(f"{spec} {fault}.")
    known_side = height if height == width and height else 0
    side, depth = options.size or known_side, len(options.mean) or channels or RGB
    if side:
        size = sum(map(len, kept.values()))
        try_in_subprocess(spec, lambda: answer_fault(network, (depth, side, side)), size)
    source = json.dumps(program, sort_keys=True).encode()
    return LoadedNetwork(ProgramNetwork(network, source), size=known_side)


def _is_needed_record(name: str) -> bool:
    """Return whether a record is needed: sample inputs are not unpacked."""
    return name in HEADER or not name.startswith(("data/sample_inputs/", "extra/"))


def _extract_plain_records(records: dict[str, bytes]) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the records for torch, and the program, after checking both.

    Raises:
        UnsupportedModelError: If anything else would be needed.
    """
    if "serialized_exported_program.json" in records:
        raise UnsupportedModelError("was written by torch 2.7 or older, with pickled weights")
    if any(name.startswith("data/aotinductor/") for name in records):
        raise UnsupportedModelError("contains compiled code")
    models = [name for name in records if name.startswith("models/")]
    if len(models) != 1 or not re.fullmatch(r"models/\w+\.json", models[0]):
        raise UnsupportedModelError(f"contains {len(models)} programs instead of one")
    name = models[0].removeprefix("models/").removesuffix(".json")
    kept = {key: records[key] for key in HEADER if key in records}
    for folder, (config_name, plain) in CONFIGS.items():
        place = config_name.format(name)
        if place not in records:
            raise UnsupportedModelError("contains pickled weights or constants")
        config = json.loads(records[place])
        check_strings(config)
        for payload in config["config"].values():
            if payload["use_pickle"] is not False or not plain.fullmatch(payload["path_name"]):
                raise UnsupportedModelError("contains pickled objects, which can run code")
            kept[folder + payload["path_name"]] = records[folder + payload["path_name"]]
        kept[config_name.format("model")] = json.dumps(config).encode()
    program = check_program(json.loads(records[models[0]]))
    kept["models/model.json"] = json.dumps(program).encode()
    # The sample inputs are a pickle; an empty file is not unpickled.
    kept["data/sample_inputs/model.pt"] = b""
    return kept, program


def _load_exported_program(spec: str, kept: dict[str, bytes]) -> nn.Module:
    """Load the program with torch."""
    # Never use torch.export.load: it falls back to the older, pickled format when this fails.
    logger = logging.getLogger("torch.export.pt2_archive._package")
    level = logger.level
    try:
        from torch.export.pt2_archive._package import load_pt2
        from torch.fx import GraphModule

        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # torch 2.10 makes tensors from read-only bytes and warns about it.
            warnings.filterwarnings("ignore", "The given buffer is not writable")
            program = load_pt2(write_records(kept)).exported_programs["model"]
        # Guards are Python source made from the file's names.
        module = program.module(check_guards=False)
        # torch refuses train() and eval() of its own module; a copy with the same graph has them.
        return GraphModule(module, module.graph)
    except Exception as error:
        # torch raises exceptions of many types.
        raise InputError(
            f"{spec} cannot be loaded by torch ({reason_of(error)}): {REEXPORT_HINT}."
        ) from error
    finally:
        logger.setLevel(level)


def _mutation_fault(network: nn.Module) -> str:
    """Return what is wrong if an operator would modify the weights, as a predicate ("": none does)."""
    graph: Any = network.graph
    for node in graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if node.op != "call_function" or schema is None or not schema.is_mutable:
            continue
        for place, argument in enumerate(schema.arguments):
            value = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name)
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written and _may_alias_weight(value):
                what = f"modifies its own state when it runs ({quote_text(value)})"
                return f"{what}, and is not read: {REEXPORT_HINT}"
    return ""


def _may_alias_weight(value: Any) -> bool:  # noqa: ANN401 (a node of torch.fx, or a list of them)
    """Return whether a value is a weight or may be a view of one."""
    if isinstance(value, list | tuple):
        return any(map(_may_alias_weight, value))
    if getattr(value, "op", "") != "call_function":
        return getattr(value, "op", "") == "get_attr"
    schema = getattr(value.target, "_schema", None)
    name = str(value.target).split(".")[1:2]
    if name and returns_new_memory(name[0]) and schema is not None and not schema.is_mutable:
        return False
    return any(map(_may_alias_weight, value.all_input_nodes))
