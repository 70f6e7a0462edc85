"""TorchScript archives (.pt, .pth with a `code` folder).

`torch.jit.load` runs no Python pickle: its own reader takes tensors and TorchScript classes. But a program
can call torch's operators, some of which touch files (`aten::save`, `aten::from_file`, those of other
libraries), and two things run while it loads: `__setstate__` methods, and the readers of C++ classes
(`torch.classes`). So the source is parsed, checked and written anew (`script.py`) before torch sees it.
Then a process of its own compiles it, looks at the graph (`compiled.py`), and asks it twice (`trial.py`).
"""

import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from straylight.core.errors import InputError, quoted, reason_of
from straylight.data.images import RGB
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.readers.program import Program, other_numbers
from straylight.models.readers.torch_archive import read_records, write_records
from straylight.models.readers.torchscript_graph import frozen, wrong_with_graph
from straylight.models.readers.torchscript_source import Suspicious, checked_source, checked_table
from straylight.models.readers.trial import try_apart, wrong_answers

CODE = "code/"
KEPT = re.compile(
    r"(data|constants)\.pkl|(data|constants)/\d+|code/[\w./]+\.py|version|byteorder|\.data/version"
)
PICKLED = (
    "{} may hold pickled objects, which can run code, and is not read: save its state_dict as safetensors "
    "(docs/models.md has the three lines) and give torchvision:NAME or timm:NAME --weights "
    "FILE.safetensors, or export it to ONNX, or give python:MODULE:FUNCTION."
)


class Script(nn.Module):
    """A TorchScript network that keeps its warnings to itself."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.network(images)


def read_torchscript(spec: str, options: ModelOptions) -> Brought:
    """Read ``FILE.pt`` or ``FILE.pth`` that `torch.jit.save` wrote.

    Raises:
        InputError: If it is a pickle, uses what no classifier needs, does not return, changes itself or its
            answers, or cannot be loaded.
    """
    path = Path(spec)
    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            raise InputError(PICKLED.format(spec))
    records = read_records(path, lambda name: KEPT.fullmatch(name) is not None)
    if not any(name.startswith(CODE) for name in records):
        raise InputError(PICKLED.format(spec))
    # The digest is of the file's own records: the text that is written anew depends on Python's version.
    source = b"".join(name.encode() + records[name] for name in sorted(records))
    records = checked(spec, records)

    def wrong() -> str:
        try:
            network = build(records)
        except Exception as error:
            return f"is not TorchScript that can be loaded ({reason_of(error)}): export it again"
        said = other_numbers(network) or wrong_with_graph(network)
        if said or not options.size:
            return said
        return wrong_answers(
            frozen(network), (len(options.mean) or RGB, options.size, options.size)
        )

    try_apart(spec, wrong, sum(map(len, records.values())))
    return Brought(Program(Script(frozen(build(records))), source))


def checked(spec: str, records: dict[str, bytes]) -> dict[str, bytes]:
    """Return the records with their source written anew.

    Raises:
        InputError: If the source or the object tables hold what no classifier needs.
    """
    found: dict[str, bytes] = {}
    try:
        for name, data in records.items():
            if name.endswith(".pkl"):
                checked_table(data)
            found[name] = checked_source(data) if name.startswith(CODE) else data
    except Suspicious as word:
        raise InputError(
            f"{spec} uses {quoted(word)}, which no classifier needs and which can touch files, print or "
            "run while it is loaded, and is not read: export it to ONNX, or give python:MODULE:FUNCTION."
        ) from word
    except ValueError as error:
        raise InputError(
            f"{spec} is not TorchScript that can be loaded ({reason_of(error)}): export it again."
        ) from error
    return found


def build(records: dict[str, bytes]) -> nn.Module:
    """Let torch compile the program."""
    with warnings.catch_warnings():
        # Nobody who brings a file can do anything about its format's age.
        warnings.filterwarnings("ignore", message="`torch.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)
        network: Any = torch.jit.load(  # type: ignore[no-untyped-call]
            write_records(records), map_location="cpu"
        )
    found: nn.Module = network.eval()
    return found
