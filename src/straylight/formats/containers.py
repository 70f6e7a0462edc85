"""Where files lie: a folder, or an archive that is read without unpacking it."""

import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from os.path import isdir, isfile
from pathlib import Path, PurePosixPath
from typing import IO

from straylight.errors import InputError, reason_of
from straylight.formats.tars import open_tar, regular_files
from straylight.limits import LARGEST, RATIO, is_bomb

ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Container(ABC):
    """Files by their names inside, with ``/`` between folders.

    Attributes:
        spec: Where it is, as the user wrote it.
    """

    spec: str

    @abstractmethod
    def names(self) -> list[str]:
        """List the files but hidden ones, sorted."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Return how many bytes a file says it has; never more are read of it.

        Raises:
            ValueError: If that cannot be told.
        """

    @abstractmethod
    def head(self, name: str, largest: int) -> bytes:
        """Read the first bytes of a file.

        Raises:
            ValueError: If it cannot be read.
        """

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises:
            ValueError: If it cannot be read, or is larger than `LARGEST`.
        """
        size = self.size(name)
        if size > LARGEST:
            raise ValueError(f"larger than {LARGEST // 2**20} MiB")
        return self.head(name, size)

    @abstractmethod
    def on_disk(self, name: str) -> Path:
        """Return the file on disk that holds a file, or is it."""

    def order(self, names: list[str]) -> list[str]:
        """Return names in the order in which they are read fastest."""
        return names


class Folder(Container):
    """A folder of any depth."""

    def __init__(self, path: Path) -> None:
        self.path, self.spec = path, str(path)

    def names(self) -> list[str]:
        files = (path for path in self.path.rglob("*") if path.is_file())
        return sorted(visible(path.relative_to(self.path).as_posix() for path in files))

    def has(self, name: str) -> bool:
        try:
            return (self.path / name).is_file()
        except (OSError, ValueError):  # a name that no file can have
            return False

    def size(self, name: str) -> int:
        with readable():
            return (self.path / name).stat().st_size

    def head(self, name: str, largest: int) -> bytes:
        with readable(), (self.path / name).open("rb") as stream:
            return stream.read(largest)

    def on_disk(self, name: str) -> Path:
        return self.path / name


@dataclass(frozen=True)
class Entry:
    """A file in an archive: where it begins, its bytes there and unpacked, and how it is opened."""

    offset: int
    packed: int
    size: int
    open: Callable[[], IO[bytes] | None]


class Archive(Container):
    """A zip or tar archive. Where all files lie in one folder, that is entered, as unpackers do.

    Args:
        spec: The file.
        entries: Its files by their names.
    """

    def __init__(self, spec: str, entries: dict[str, Entry]) -> None:
        self.spec = spec
        found = {str(PurePosixPath(name)): entry for name, entry in entries.items()}
        inside = common_folder(visible(found))
        self.entries = {n.removeprefix(inside): found[n] for n in found if n.startswith(inside)}

    def names(self) -> list[str]:
        return sorted(visible(self.entries))

    def order(self, names: list[str]) -> list[str]:
        return sorted(names, key=lambda name: self.entries[name].offset)

    def has(self, name: str) -> bool:
        return name in self.entries

    def size(self, name: str) -> int:
        entry = self.entries[name]
        if is_bomb(entry.packed, entry.size):
            raise ValueError(f"unpacks to more than {RATIO} times its size")
        return entry.size

    def head(self, name: str, largest: int) -> bytes:
        with readable():
            stream = self.entries[name].open()
            assert stream is not None  # it is a regular file
            with stream:
                return stream.read(largest)

    def on_disk(self, name: str) -> Path:
        return Path(self.spec)


def zip_entries(file: zipfile.ZipFile) -> dict[str, Entry]:
    """List the files of a zip archive."""
    files = (item for item in file.infolist() if not item.is_dir())
    return {
        item.filename: Entry(
            item.header_offset, item.compress_size, item.file_size, partial(file.open, item)
        )
        for item in files
    }


def tar_entries(file: tarfile.TarFile, packed: int) -> dict[str, Entry]:
    """List the regular files of a tar archive of `packed` bytes."""
    return {
        item.name: Entry(item.offset, item.size, item.size, partial(file.extractfile, item))
        for item in regular_files(file, packed)
    }


@contextmanager
def readable() -> Iterator[None]:
    """Turn all that reading can raise into a ValueError that says why, without a path."""
    try:
        yield
    except Exception as error:
        # zipfile, tarfile and what they unpack with raise nearly every kind for broken files.
        raise ValueError(f"cannot be read: {reason_of(error)}") from error


def visible(names: Iterable[str]) -> list[str]:
    """Leave out what systems hide: `.DS_Store`, `._photo.jpg`, `__MACOSX`."""
    return [
        name
        for name in names
        if not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
    ]


def common_folder(names: list[str]) -> str:
    """Return the folder, with its slash, that all names lie in, or nothing.

    >>> common_folder(["chest/a.png", "chest/b/c.png"]), common_folder(["a.png", "b/c.png"])
    ('chest/', '')
    """
    tops = {name.partition("/")[:2] for name in names}
    return "".join(tops.pop()) if len(tops) == 1 and names[0].count("/") else ""


def is_container(path: Path) -> bool:
    """Tell whether files can be read from `path`: a folder, or an archive by its name."""
    # Of os.path, since pathlib raises for names that are too long.
    return isdir(path) or (isfile(path) and path.name.lower().endswith((*ZIP, *TAR)))


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open a folder or an archive for the time of a context.

    Raises:
        InputError: If it is none, or is broken.
    """
    if path.is_dir():
        yield Folder(path)
        return
    with ExitStack() as stack:
        try:
            if path.name.lower().endswith(ZIP):
                entries = zip_entries(stack.enter_context(zipfile.ZipFile(path)))
            else:
                packed = path.stat().st_size
                entries = tar_entries(stack.enter_context(open_tar(path)), packed)
        except Exception as error:
            # As above, and a RecursionError for headers of headers of headers.
            raise InputError(
                f"{path} cannot be read as a zip or tar archive ({reason_of(error)})."
            ) from error
        yield Archive(str(path), entries)
