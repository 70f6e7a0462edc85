"""Programs of `torch.export` (.pt2).

`torch.export.load` is not made for strangers' files (torch 2.15, `torch/export/pt2_archive/_package.py` and
`torch/_export/serde/serialize.py`). It unpickles sample inputs, weights and constants marked `use_pickle`,
custom and opaque objects and the whole of the older format; it loads shared libraries (AOTInductor); it
evaluates the program's symbolic sizes (`sympy.sympify`) and guards as Python; it imports modules that a
tree of arguments names; it takes any function below `torch` as an operator; and it writes the program's
names into Python source, which it runs.

So only the plain parts are read: weights and constants as raw bytes, and a program that has passed
`graphs.py`. They are written into a new archive, and torch gets that.
"""

import json
import logging
import re
from pathlib import Path
from typing import Any

from torch import nn

from straylight.core.errors import InputError, quoted, reason_of
from straylight.data.images import RGB
from straylight.models.readers.export_checks import Refused, check_program, check_strings, image_of
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.readers.program import Program, other_numbers
from straylight.models.readers.torch_archive import read_records, write_records
from straylight.models.readers.torch_operators import is_fresh
from straylight.models.readers.trial import try_apart, wrong_answers

HEADER = ("archive_format", "archive_version", "version", ".data/version", "byteorder")
CONFIGS = {
    "data/weights/": ("data/weights/{}_weights_config.json", re.compile(r"weight_\d+")),
    "data/constants/": ("data/constants/{}_constants_config.json", re.compile(r"tensor_\d+")),
}
AGAIN = (
    "export it again with torch.export.save, or save the state_dict with "
    "safetensors.torch.save_file, or give python:MODULE:FUNCTION"
)


def read_exported(spec: str, options: ModelOptions) -> Brought:
    """Read ``FILE.pt2``.

    Raises:
        InputError: If anything in it would have to be unpickled or evaluated, it is no image
            classifier, or was exported for one batch size or in training mode.
    """
    records = read_records(Path(spec), wanted)
    try:
        kept, program = plain_parts(records)
    except Refused as refusal:
        raise InputError(f"{spec} {refusal}, and is not read: {AGAIN}.") from refusal
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{spec} is no program of torch.export ({reason_of(error)}): {AGAIN}."
        ) from error
    batch, channels, height, width = image_of(spec, program)
    if batch is not None:
        raise InputError(
            f"{spec} was exported for batches of exactly {batch}: export it again with "
            'dynamic_shapes=({0: torch.export.Dim("batch")},).'
        )
    network = build(spec, kept)
    if wrong := other_numbers(network) or changed_weights(network):
        raise InputError(f"{spec} {wrong}.")
    said = height if height == width and height else 0
    side, depth = options.size or said, len(options.mean) or channels or RGB
    if side:
        size = sum(map(len, kept.values()))
        try_apart(spec, lambda: wrong_answers(network, (depth, side, side)), size)
    source = json.dumps(program, sort_keys=True).encode()
    return Brought(Program(network, source), size=said)


def wanted(name: str) -> bool:
    """Return whether a record is looked at: sample inputs are not unpacked."""
    return name in HEADER or not name.startswith(("data/sample_inputs/", "extra/"))


def plain_parts(records: dict[str, bytes]) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the records that torch is given, and the program.

    Raises:
        Refused: If there is something else that would be needed.
    """
    if "serialized_exported_program.json" in records:
        raise Refused("was written by torch 2.7 or older, with pickled weights")
    if any(name.startswith("data/aotinductor/") for name in records):
        raise Refused("holds compiled code")
    models = [name for name in records if name.startswith("models/")]
    if len(models) != 1 or not re.fullmatch(r"models/\w+\.json", models[0]):
        raise Refused(f"holds {len(models)} programs instead of one")
    name = models[0].removeprefix("models/").removesuffix(".json")
    kept = {key: records[key] for key in HEADER if key in records}
    for folder, (config_name, plain) in CONFIGS.items():
        place = config_name.format(name)
        if place not in records:
            raise Refused("holds pickled weights or constants")
        config = json.loads(records[place])
        check_strings(config)
        for payload in config["config"].values():
            if payload["use_pickle"] is not False or not plain.fullmatch(payload["path_name"]):
                raise Refused("holds pickled objects, which can run code")
            kept[folder + payload["path_name"]] = records[folder + payload["path_name"]]
        kept[config_name.format("model")] = json.dumps(config).encode()
    program = check_program(json.loads(records[models[0]]))
    kept["models/model.json"] = json.dumps(program).encode()
    # The sample inputs are a pickle, and an empty one is none.
    kept["data/sample_inputs/model.pt"] = b""
    return kept, program


def build(spec: str, kept: dict[str, bytes]) -> nn.Module:
    """Let torch build the program."""
    # torch.export.load reads the older, pickled format when this fails: never go through it.
    logger = logging.getLogger("torch.export.pt2_archive._package")
    level = logger.level
    try:
        from torch.export.pt2_archive._package import load_pt2
        from torch.fx import GraphModule

        logger.setLevel(logging.ERROR)
        program = load_pt2(write_records(kept)).exported_programs["model"]
        # Guards are Python source made of the file's names.
        module = program.module(check_guards=False)
        # torch refuses train() and eval() of its own module; a copy with the same graph has them.
        return GraphModule(module, module.graph)
    except Exception as error:
        # torch says what does not fit by errors of all kinds.
        raise InputError(
            f"{spec} cannot be loaded by torch ({reason_of(error)}): {AGAIN}."
        ) from error
    finally:
        logger.setLevel(level)


def changed_weights(network: nn.Module) -> str:
    """Return what is wrong if an operator would change the weights (nothing: none does)."""
    graph: Any = network.graph
    for node in graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if node.op != "call_function" or schema is None or not schema.is_mutable:
            continue
        for place, argument in enumerate(schema.arguments):
            value = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name)
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written and is_kept(value):
                return (
                    f"changes itself while it answers ({quoted(value)}), and is not read: {AGAIN}"
                )
    return ""


def is_kept(value: Any) -> bool:  # noqa: ANN401 (a node of torch.fx, or a list of them)
    """Return whether a value is a weight, or may be a view of one."""
    if isinstance(value, list | tuple):
        return any(map(is_kept, value))
    if getattr(value, "op", "") != "call_function":
        return getattr(value, "op", "") == "get_attr"
    schema = getattr(value.target, "_schema", None)
    name = str(value.target).split(".")[1:2]
    if name and is_fresh(name[0]) and schema is not None and not schema.is_mutable:
        return False
    return any(map(is_kept, value.all_input_nodes))
