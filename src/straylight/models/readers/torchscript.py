"""Read TorchScript archives (.pt, .pth with a `code` folder).

`torch.jit.load` does not unpickle Python objects: its own reader accepts tensors and TorchScript classes.
But a program can call torch's operators, some of which access files (`aten::save`, `aten::from_file`, those
of other libraries), and two things run while it loads: `__setstate__` methods and the readers of C++
classes (`torch.classes`). Therefore the source is parsed, checked and rewritten (`torchscript_source.py`)
before torch gets it. Then a subprocess compiles it, checks the graph (`torchscript_graph.py`) and runs it
twice (`trial.py`).
"""

import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from straylight.core.errors import InputError, quote_text, reason_of
from straylight.data.images import RGB
from straylight.models.options import ModelOptions
from straylight.models.readers.network import LoadedNetwork, ProgramNetwork, non_float32_fault
from straylight.models.readers.torch_archive import read_records, write_records
from straylight.models.readers.torchscript_graph import freeze_torchscript, graph_fault
from straylight.models.readers.torchscript_source import (
    UnsafeTorchScriptError,
    check_object_table,
    rewrite_source,
)
from straylight.models.readers.trial import answer_fault, try_in_subprocess

CODE_FOLDER = "code/"
KEPT_RECORDS = re.compile(
    r"(data|constants)\.pkl|(data|constants)/\d+|code/[\w./]+\.py|version|byteorder|\.data/version"
)
PICKLE_MESSAGE = (
    "{} may hold pickled objects, which can run code, and is not read: save its state_dict as safetensors "
    "(docs/models.md has the three lines) and give torchvision:NAME or timm:NAME --weights "
    "FILE.safetensors, or export it to ONNX, or give python:MODULE:FUNCTION."
)


class TorchScriptNetwork(nn.Module):
    """A TorchScript network whose warnings are suppressed."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.network(images)


def read_torchscript(spec: str, options: ModelOptions) -> LoadedNetwork:
    """Read ``FILE.pt`` or ``FILE.pth`` written by `torch.jit.save`.

    Raises:
        InputError: If it is a pickle, uses what no classifier needs, does not return, is not deterministic,
            or cannot be loaded.
    """
    path = Path(spec)
    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            raise InputError(PICKLE_MESSAGE.format(spec))
    records = read_records(path, lambda name: KEPT_RECORDS.fullmatch(name) is not None)
    if not any(name.startswith(CODE_FOLDER) for name in records):
        raise InputError(PICKLE_MESSAGE.format(spec))
    # The digest is of the file's own records: the rewritten source depends on the Python version.
    source = b"".join(name.encode() + records[name] for name in sorted(records))
    records = rewrite_records(spec, records)

    def find_fault() -> str:
        try:
            network = _load_torchscript(records)
        except Exception as error:
            return f"is not TorchScript that can be loaded ({reason_of(error)}): export it again"
        fault = non_float32_fault(network) or graph_fault(network)
        if fault or not options.size:
            return fault
        return answer_fault(
            freeze_torchscript(network), (len(options.mean) or RGB, options.size, options.size)
        )

    try_in_subprocess(spec, find_fault, sum(map(len, records.values())))
    return LoadedNetwork(
        ProgramNetwork(TorchScriptNetwork(freeze_torchscript(_load_torchscript(records))), source)
    )


def rewrite_records(spec: str, records: dict[str, bytes]) -> dict[str, bytes]:
    """Check the records, and return them with rewritten source.

    Raises:
        InputError: If the source or the object tables contain what no classifier needs.
    """
    found: dict[str, bytes] = {}
    try:
        for name, data in records.items():
            if name.endswith(".pkl"):
                check_object_table(data)
            found[name] = rewrite_source(data) if name.startswith(CODE_FOLDER) else data
    except UnsafeTorchScriptError as word:
        raise InputError(
            f"{spec} uses {quote_text(word)}, which no classifier needs and which can access files, print "
            "or run while it is loaded, and is not read: export it to ONNX, or give python:MODULE:FUNCTION."
        ) from word
    except ValueError as error:
        raise InputError(
            f"{spec} is not TorchScript that can be loaded ({reason_of(error)}): export it again."
        ) from error
    return found


def _load_torchscript(records: dict[str, bytes]) -> nn.Module:
    """Load and compile the program with torch."""
    with warnings.catch_warnings():
        # Users cannot fix that the format of their file is deprecated.
        warnings.filterwarnings("ignore", message="`torch.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)
        network: Any = torch.jit.load(  # type: ignore[no-untyped-call]
            write_records(records), map_location="cpu"
        )
    found: nn.Module = network.eval()
    return found
