"""TorchScript archives (.pt, .pth with a `code` folder).

`torch.jit.load` runs no Python pickle: its own reader takes tensors and TorchScript classes. But a program
can call torch's operators, some of which touch files (`aten::save`, `aten::from_file`, those of other
libraries), and two things run while it loads: `__setstate__` methods, and the readers of C++ classes
(`torch.classes`). Archives with these are refused before torch sees them. Then all graphs are looked
at, before the first runs.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from straylight.errors import InputError
from straylight.readers.brought import Brought, ModelOptions, reason_of
from straylight.readers.graphs import FILES
from straylight.readers.program import Program
from straylight.readers.records import read_records, write_records

CODE = "code/"
KEPT = re.compile(
    r"(data|constants)\.pkl|(data|constants)/\d+|code/[\w./]+\.py|version|byteorder|\.data/version"
)
# Words of programs that run while loading, reach other machines, or touch files.
WORDS = re.compile(rb"\b(__setstate__|torch\.classes|rpc_\w+|save|from_file)\b")
# `ops` alone, and not the module of a class such as torchvision.ops.misc.
OTHERS = re.compile(rb"(?<!\.)\bops\b(?!\.(?:prim|aten)\b)(?:\.\w+)?")
OPERATORS = ("aten::", "prim::")
PICKLED = (
    "{} may hold pickled objects, which can run code, and is not read: save its state_dict "
    "with safetensors.torch.save_file and give timm:NAME --weights FILE.safetensors, or export it "
    "to ONNX, or give python:MODULE:FUNCTION."
)


def read_torchscript(spec: str, _: ModelOptions) -> Brought:
    """Read ``FILE.pt`` or ``FILE.pth`` that `torch.jit.save` wrote.

    Raises:
        InputError: If it is a pickle, has operators that touch files, or cannot be loaded.
    """
    path = Path(spec)
    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            raise InputError(PICKLED.format(spec))
    records = {name: r for name, r in read_records(path).items() if KEPT.fullmatch(name)}
    if not any(name.startswith(CODE) for name in records):
        raise InputError(PICKLED.format(spec))
    refuse(spec, found_in(records))
    network = build(spec, records)
    refuse(spec, {node for node in operators(network) if not allowed(node)})
    source = b"".join(name.encode() + records[name] for name in sorted(records))
    return Brought(Program(network, source))


def refuse(spec: str, found: set[str]) -> None:
    """Refuse a program for what was found in it."""
    if found:
        raise InputError(
            f"{spec} uses {', '.join(sorted(found))}, which can touch files or run while it is loaded, "
            "and is not read: export it to ONNX, or give python:MODULE:FUNCTION."
        )


def found_in(records: dict[str, bytes]) -> set[str]:
    """Words of the code and the object table that are refused, before anything is compiled."""
    found: set[bytes] = set()
    for name, text in records.items():
        if name.startswith(CODE):
            found |= set(WORDS.findall(text)) | set(OTHERS.findall(text))
        elif name.endswith(".pkl") and b"torch.classes" in text:
            found.add(b"torch.classes")
    return {word.decode() for word in found}


def build(spec: str, records: dict[str, bytes]) -> nn.Module:
    """Let torch compile the program."""
    try:
        with warnings.catch_warnings():
            # Nobody who brings a file can do anything about its format's age.
            warnings.filterwarnings("ignore", message="`torch.jit", category=FutureWarning)
            warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)
            network: nn.Module = torch.jit.load(  # type: ignore[no-untyped-call]
                write_records(records), map_location="cpu"
            )
    except Exception as error:
        # The compiler and the reader raise kinds of their own.
        raise InputError(
            f"{spec} is no TorchScript that can be loaded ({reason_of(error)}): export it again."
        ) from error
    return network


def allowed(operator: str) -> bool:
    """Tell whether an operator only computes."""
    return operator.startswith(OPERATORS) and operator.partition("::")[2] not in FILES


def operators(network: nn.Module) -> Iterator[str]:
    """List the operators of all methods of all modules, with those of the functions that they call."""
    for module in network.modules():
        compiled: Any = module._c
        for name in compiled._method_names():
            yield from kinds(compiled._get_method(name).inlined_graph)


def kinds(block: torch._C.Graph | torch._C.Block) -> Iterator[str]:
    """List the kinds of a graph's nodes, at any depth."""
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from kinds(inner)
        for attribute in node.attributeNames():
            if node.kindOf(attribute) == "g":
                yield from kinds(node.g(attribute))
