"""SHA-256 digests of the data behind a spec, computed again only when a file may have changed."""

import hashlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, MutableMapping
from glob import glob
from importlib.util import find_spec
from modulefinder import ModuleFinder
from pathlib import Path

import torch
from torch import nn

from straylight.cohort.columns import PARQUET, TEXTS
from straylight.cohort.manifest import Reading, read_manifest
from straylight.core.bounded_read import sha256_of_file
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.models.options import ModelOptions
from straylight.models.readers.python_function import PYTHON, read_python_function

HF, MADE_BY = "hf:", "what it makes: "
# Specs without a file begin so.
MADE = (
    *("builtin:", "medmnist:", HF, PYTHON, "timm:", "torchvision:", "keras:", "hf_hub:"),
    *("pretrained", "none"),
)
BESIDE = {
    ".bin",
    ".data",
    ".pb",
    ".raw",
    ".weights",
}  # files in which an ONNX model may keep its weights
SETTLED = 2.0  # seconds since the last change: a file may change twice within one tick of its clock
Files = list[tuple[str, Path]]

known: dict[str, str] = {}  # by stamp, in this process


class DataDigests:
    """The digests of all data that a study reads.

    Args:
        cache: Earlier digests, by a stamp of the files: names, sizes, times and inode numbers.
    """

    def __init__(self, cache: MutableMapping[str, str]) -> None:
        self.cache = cache
        self._computed: dict[tuple[str, Reading | None], str] = {}

    def compute(self, spec: str, reading: Reading | None = None) -> str:
        """Return the digest of the files behind a spec, or of the spec itself if it has none.

        Raises:
            InputError: If the file or folder does not exist, or if a manifest is broken.
        """
        if (spec, reading) not in self._computed:
            self._computed[spec, reading] = self._digest(spec, reading)
        return self._computed[spec, reading]

    def _digest(self, spec: str, reading: Reading | None) -> str:
        if spec.startswith(MADE_BY):
            return _digest_made_network(spec.removeprefix(MADE_BY))
        paths, rest = locate_data(spec)
        if not paths:
            return _digest_texts([f"spec {spec}"])
        try:
            files = list(_list_named_files(paths, reading))
            stamp, settled = _stamp_files(spec, reading, files)
            if settled and stamp in self.cache:
                known[stamp] = self.cache[stamp]
            if stamp not in known or not settled:
                lines = (f"{name} {sha256_of_file(file)}" for name, file in files)
                digest = _digest_texts([rest, *lines])
                if not settled or _stamp_files(spec, reading, files)[0] != stamp:
                    return digest
                known[stamp] = digest
        except OSError as error:
            raise InputError(
                f"{spec} cannot be read ({reason_of(error)}: {quote_text(error.filename)})."
            ) from error
        self.cache[stamp] = known[stamp]
        return known[stamp]


def check_data_unchanged(data: Iterable[tuple[str, Reading | None, str]]) -> None:
    """Check, after data were read, that they still have the digests in the identity of a cell.

    Raises:
        InputError: If they do not.
    """
    now = DataDigests({})
    for spec, reading, digest in data:
        if now.compute(spec, reading) != digest:
            raise InputError(
                f"{spec.removeprefix(MADE_BY)} has changed since the study started: give the same "
                "command again."
            )


def _stamp_files(spec: str, reading: Reading | None, files: Files) -> tuple[str, bool]:
    """Return a stamp of files, made without reading them, and whether it is older than `SETTLED`."""
    parts, newest = [spec, str(reading)], 0.0
    for name, file in files:
        it = file.stat()
        parts.append(
            f"{name} {file} {it.st_size} {it.st_mtime_ns} {it.st_ctime_ns} {it.st_ino} {it.st_dev}"
        )
        newest = max(newest, it.st_mtime, it.st_ctime)
    return _digest_texts(parts), time.time() - newest > SETTLED


def _list_named_files(paths: list[Path], reading: Reading | None) -> Iterator[tuple[str, Path]]:
    """List all files behind paths, with names that stay the same if the data are moved."""
    first = paths[0]
    base = first if len(paths) == 1 and first.is_dir() else first.parent
    for file in sorted({file for path in paths for file in _list_files(path, reading)}):
        yield _name_in_folder(file, base), file


def locate_data(spec: str) -> tuple[list[Path], str]:
    """Return the files or folders in a spec, and the rest of it: ``PREFIX:`` or ``:SPLIT``.

    Raises:
        InputError: If they do not exist, and the spec is not one without files.
    """
    if spec.startswith(MADE_BY):
        return [], spec
    if spec.startswith(PYTHON):
        return _list_sources(spec), spec
    prefix = HF if spec.startswith(HF) else ""
    text = spec.removeprefix(prefix)
    head, _, tail = text.partition(":")
    file, _, split = text.rpartition(":")
    for path, rest in ((text, ""), (tail, head), (file, split)):
        if path and os.path.exists(path):
            return [Path(path)], prefix + rest
    # Several archives, such as {000..009}.tar; other files that match do no harm.
    if "{" in spec and (archives := sorted(map(Path, glob(re.sub(r"\{[^}]*\}", "*", spec))))):
        return archives, spec
    if spec.startswith(MADE):
        return [], spec
    raise InputError(f"{spec} does not exist: give an existing file or folder.")


def _list_sources(spec: str) -> list[Path]:
    """List the source of ``python:MODULE:FUNCTION`` and of its imports beside it, without running it."""
    module = spec.removeprefix(PYTHON).partition(":")[0]
    sys.path.insert(0, os.getcwd())
    try:
        specification = find_spec(module.partition(".")[0])
    except (ImportError, ValueError, AttributeError):
        specification = None
    finally:
        sys.path.remove(os.getcwd())
    origin = None if specification is None else specification.origin
    if not origin or not os.path.isfile(origin):
        return []
    file = Path(origin)
    if file.name == "__init__.py":
        return [file.parent]
    finder = ModuleFinder(path=[str(file.parent)])
    try:
        finder.run_script(str(file))
    except (SyntaxError, OSError, RecursionError, ValueError):
        return [file]
    imported = [getattr(module, "__file__", None) for module in finder.modules.values()]
    return sorted({file, *(Path(path) for path in imported if path)})


def _digest_made_network(spec: str) -> str:
    """Compute the digest of the tensors of a network, by running the user's function that makes it."""
    made = read_python_function(spec, ModelOptions())
    network: nn.Module = made.network
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _list_files(path: Path, reading: Reading | None) -> Iterable[Path]:
    """List the files behind a path: of a folder or a manifest, or an array with its labels."""
    if path.is_dir():
        return list(_walk_files(path))
    if path.suffix.lower() in {*TEXTS, PARQUET} and reading is not None:
        root = Path(reading.root) if reading.root else path.parent
        if not root.is_dir():
            return [path, root]
        rows = read_manifest(path, reading.file, reading.label, may_be_empty=True)
        return [path, *(root / row.file for row in rows if (root / row.file).is_file())]
    if path.suffix == ".npy" and path.name.startswith("X_"):
        labels = path.with_name("y_" + path.name.removeprefix("X_"))
        return [path, labels] if labels.exists() else [path]
    if path.suffix.lower() == ".onnx":
        beside = (file for file in path.parent.iterdir() if file.is_file())
        return [path, *(f for f in beside if f.suffix in BESIDE or f.name.startswith(path.name))]
    return [path]


def _walk_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder; links to folders are followed, each folder once."""
    seen: set[tuple[int, int]] = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        it = os.stat(name)
        if (it.st_dev, it.st_ino) in seen:
            folders.clear()
            continue
        seen.add((it.st_dev, it.st_ino))
        yield from (path for file in files if (path := Path(name, file)).is_file())


def _name_in_folder(file: Path, base: Path) -> str:
    """Return the path of a file inside a folder, so that a moved folder has the same digest."""
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else file.name


def _digest_texts(parts: Iterable[str]) -> str:
    """Compute the digest of texts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()
