"""Digests of data by the bytes of their files, worked out again only when a file has changed."""

import hashlib
import re
from collections.abc import Iterable, MutableMapping
from glob import glob
from pathlib import Path

from straylight.errors import InputError
from straylight.formats.manifest import read_manifest
from straylight.formats.reading import Reading
from straylight.formats.tables import PARQUET

# Known by name, without a file.
MADE = ("builtin:", "medmnist:", "hf:", "python:", "timm:", "torchvision:", "pretrained", "none")


class Digests:
    """Digests of whatever a study reads.

    Args:
        cache: Digests found before, by a stamp of the files: their names, sizes and times.
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
        paths, rest = locate(spec)
        if not paths:
            return digest_of([f"spec {spec}"])
        files = sorted({file for path in paths for file in files_of(path, reading)})
        stats = [(file, file.stat()) for file in files]
        stamp = digest_of(
            [spec, str(reading), *(f"{f} {s.st_size} {s.st_mtime_ns}" for f, s in stats)]
        )
        if stamp not in self.cache:
            first = paths[0]
            base = first if len(paths) == 1 and first.is_dir() else first.parent
            said = (f"{name_in(file, base)} {digest_of_file(file)}" for file in files)
            self.cache[stamp] = digest_of([rest, *said])
        return self.cache[stamp]


def locate(spec: str) -> tuple[list[Path], str]:
    """Find the files or folders in a spec, and return what else it says: ``PREFIX:`` or ``:SPLIT``.

    Raises:
        InputError: If there are none, and it is nothing that is known by name.
    """
    head, _, tail = spec.partition(":")
    file, _, split = spec.rpartition(":")
    for text, rest in ((spec, ""), (tail, head), (file, split)):
        if text and Path(text).exists():
            return [Path(text)], rest
    # Several archives, as {000..009}.tar: what else lies between them does no harm.
    if "{" in spec and (found := sorted(map(Path, glob(re.sub(r"\{[^}]*\}", "*", spec))))):
        return found, spec
    if spec.startswith(MADE):
        return [], spec
    raise InputError(f"{spec} does not exist: give an existing file or folder.")


def files_of(path: Path, reading: Reading | None) -> Iterable[Path]:
    """List the files behind a path: those of a folder, a manifest's, or the labels of an array."""
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file()]
    if path.suffix.lower() in {".csv", PARQUET} and reading is not None:
        root = Path(reading.root) if reading.root else path.parent
        if not root.is_dir():
            return [path, root]
        rows = read_manifest(path, reading.file, reading.label, may_be_empty=True)
        return [path, *(root / row.file for row in rows if (root / row.file).is_file())]
    if path.suffix == ".npy" and path.name.startswith("X_"):
        labels = path.with_name("y_" + path.name.removeprefix("X_"))
        return [path, labels] if labels.exists() else [path]
    return [path]


def name_in(file: Path, base: Path) -> str:
    """Return a file's name inside a folder, so that a moved folder has the same digest."""
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else file.name


def digest_of(parts: Iterable[str]) -> str:
    """Digest of texts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """Digest of a file's bytes.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from error
