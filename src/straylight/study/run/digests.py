"""Digests of data by the bytes of their files, worked out again only when a file may have changed."""

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
from straylight.cohort.manifest import read_manifest
from straylight.cohort.reading import Reading
from straylight.core.bounded_read import digest_of_file
from straylight.core.errors import InputError, quoted, reason_of
from straylight.models.load import ModelOptions
from straylight.models.readers.python_function import PYTHON, read_function

HF, MADE_BY = "hf:", "what it makes: "
# Known by name, without a file.
MADE = (
    *("builtin:", "medmnist:", HF, PYTHON, "timm:", "torchvision:", "keras:", "hf_hub:"),
    *("pretrained", "none"),
)
BESIDE = {".bin", ".data", ".pb", ".raw", ".weights"}  # that an ONNX file may keep its weights in
SETTLED = 2.0  # seconds without a change: a file may change twice within the grain of its clock
Files = list[tuple[str, Path]]

known: dict[str, str] = {}  # by stamp, to this process


class Digests:
    """Digests of whatever a study reads.

    Args:
        cache: Digests found before, by a stamp of the files: their names, sizes, times and places on
            the disk.
    """

    def __init__(self, cache: MutableMapping[str, str]) -> None:
        self.cache = cache
        self.found: dict[tuple[str, Reading | None], str] = {}

    def of(self, spec: str, reading: Reading | None = None) -> str:
        """Return the digest of the files behind a spec, or of the spec if it is built in.

        Raises:
            InputError: If there is no such file or folder, or a manifest is broken.
        """
        if (spec, reading) not in self.found:
            self.found[spec, reading] = self._digest(spec, reading)
        return self.found[spec, reading]

    def _digest(self, spec: str, reading: Reading | None) -> str:
        if spec.startswith(MADE_BY):
            return digest_of_made(spec.removeprefix(MADE_BY))
        paths, rest = locate(spec)
        if not paths:
            return digest_of([f"spec {spec}"])
        try:
            files = list(named_files(paths, reading))
            stamp, settled = stamp_of(spec, reading, files)
            if settled and stamp in self.cache:
                known[stamp] = self.cache[stamp]
            if stamp not in known or not settled:
                said = (f"{name} {digest_of_file(file)}" for name, file in files)
                found = digest_of([rest, *said])
                if not settled or stamp_of(spec, reading, files)[0] != stamp:
                    return found
                known[stamp] = found
        except OSError as error:
            raise InputError(
                f"{spec} cannot be read ({reason_of(error)}: {quoted(error.filename)})."
            ) from error
        self.cache[stamp] = known[stamp]
        return known[stamp]


def check_unchanged(data: Iterable[tuple[str, Reading | None, str]]) -> None:
    """Check, after data were read, that they are still those of which a cell has its name.

    Raises:
        InputError: If not.
    """
    now = Digests({})
    for spec, reading, digest in data:
        if now.of(spec, reading) != digest:
            raise InputError(
                f"{spec.removeprefix(MADE_BY)} has changed since the study began: give the same command "
                "again."
            )


def stamp_of(spec: str, reading: Reading | None, files: Files) -> tuple[str, bool]:
    """Digest of what tells files apart without reading them, and whether none has changed just now."""
    parts, newest = [spec, str(reading)], 0.0
    for name, file in files:
        it = file.stat()
        parts.append(
            f"{name} {file} {it.st_size} {it.st_mtime_ns} {it.st_ctime_ns} {it.st_ino} {it.st_dev}"
        )
        newest = max(newest, it.st_mtime, it.st_ctime)
    return digest_of(parts), time.time() - newest > SETTLED


def named_files(paths: list[Path], reading: Reading | None) -> Iterator[tuple[str, Path]]:
    """List all files behind paths, each with a name that is the same where the data were moved to."""
    first = paths[0]
    base = first if len(paths) == 1 and first.is_dir() else first.parent
    for file in sorted({file for path in paths for file in files_of(path, reading)}):
        yield name_in(file, base), file


def locate(spec: str) -> tuple[list[Path], str]:
    """Find the files or folders in a spec, and return what else it says: ``PREFIX:`` or ``:SPLIT``.

    Raises:
        InputError: If there are none, and it is nothing that is known by name.
    """
    if spec.startswith(MADE_BY):
        return [], spec
    if spec.startswith(PYTHON):
        return sources_of(spec), spec
    prefix = HF if spec.startswith(HF) else ""
    text = spec.removeprefix(prefix)
    head, _, tail = text.partition(":")
    file, _, split = text.rpartition(":")
    for path, rest in ((text, ""), (tail, head), (file, split)):
        if path and os.path.exists(path):
            return [Path(path)], prefix + rest
    # Several archives, as {000..009}.tar: what else lies between them does no harm.
    if "{" in spec and (found := sorted(map(Path, glob(re.sub(r"\{[^}]*\}", "*", spec))))):
        return found, spec
    if spec.startswith(MADE):
        return [], spec
    raise InputError(f"{spec} does not exist: give an existing file or folder.")


def sources_of(spec: str) -> list[Path]:
    """Return the source of ``python:MODULE:FUNCTION`` and of what it imports beside it; nothing is run."""
    module = spec.removeprefix(PYTHON).partition(":")[0]
    sys.path.insert(0, os.getcwd())
    try:
        found = find_spec(module.partition(".")[0])
    except (ImportError, ValueError, AttributeError):
        found = None
    finally:
        sys.path.remove(os.getcwd())
    origin = None if found is None else found.origin
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
    imported = [getattr(found, "__file__", None) for found in finder.modules.values()]
    return sorted({file, *(Path(found) for found in imported if found)})


def digest_of_made(spec: str) -> str:
    """Digest of the tensors of a network that a function of the user's own makes, which is run."""
    made = read_function(spec, ModelOptions())
    network: nn.Module = made.network
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def files_of(path: Path, reading: Reading | None) -> Iterable[Path]:
    """List the files behind a path: those of a folder, a manifest's, or the labels of an array."""
    if path.is_dir():
        return list(files_below(path))
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


def files_below(folder: Path) -> Iterator[Path]:
    """List every file below a folder; links to folders are followed, each folder once."""
    seen: set[tuple[int, int]] = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        it = os.stat(name)
        if (it.st_dev, it.st_ino) in seen:
            folders.clear()
            continue
        seen.add((it.st_dev, it.st_ino))
        yield from (path for file in files if (path := Path(name, file)).is_file())


def name_in(file: Path, base: Path) -> str:
    """Return a file's name inside a folder, so that a moved folder has the same digest."""
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else file.name


def digest_of(parts: Iterable[str]) -> str:
    """Digest of texts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()
