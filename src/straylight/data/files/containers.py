"""Where files lie: a folder, or an archive that is read without unpacking it."""

import stat
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from os.path import isdir, isfile
from pathlib import Path, PurePosixPath
from typing import IO

from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.limits import LARGEST, RATIO, is_bomb
from straylight.data.files.folder_walk import Walk, walk
from straylight.data.files.non_images import is_companion, is_hidden
from straylight.data.files.regular import check_regular, open_regular
from straylight.data.files.tar import members, open_tar, why_no_file
from straylight.data.images import Skipped

MOST_MEMBERS = 500_000  # of one archive
LOCAL_HEADER = 30  # bytes before the name of a member of a zip archive
ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Container(ABC):
    """Files by their names inside, with ``/`` between folders.

    Attributes:
        spec: Where it is, as the user wrote it.
    """

    spec: str

    @property
    def left_out(self) -> tuple[Skipped, ...]:
        """What is named there and is no file: links, pipes, devices."""
        return ()

    @property
    def twice(self) -> dict[str, str]:
        """Names that links give to a file once more, and the name that it has in `names`."""
        return {}

    @abstractmethod
    def names(self) -> list[str]:
        """List the files but hidden ones, sorted."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Return whether there is such a file."""

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

    def identity(self, name: str) -> object:
        """Return what two names of one file have in common."""
        return name

    def order(self, names: list[str]) -> list[str]:
        """Return names in the order in which they are read fastest."""
        return names


class Folder(Container):
    """A folder of any depth; links are followed (see `walk`)."""

    def __init__(self, path: Path) -> None:
        self.path, self.spec = path, str(path)

    @cached_property
    def _walk(self) -> Walk:
        return walk(self.path)

    @property
    def left_out(self) -> tuple[Skipped, ...]:
        return tuple(self._walk.skipped)

    @property
    def twice(self) -> dict[str, str]:
        return self._walk.twice

    def names(self) -> list[str]:
        return list(self._walk.names)

    def has(self, name: str) -> bool:
        try:
            return (self.path / name).is_file()
        except (OSError, ValueError):  # a name that no file can have
            return False

    def size(self, name: str) -> int:
        with readable():
            return (self.path / name).stat().st_size

    def head(self, name: str, largest: int) -> bytes:
        with readable(), open_regular(self.path / name) as stream:
            return stream.read(largest)

    def on_disk(self, name: str) -> Path:
        return self.path / name

    def identity(self, name: str) -> object:
        try:
            found = (self.path / name).stat()
        except OSError:
            return name
        return found.st_dev, found.st_ino


@dataclass(frozen=True)
class Entry:
    """A file in an archive: where it begins, its bytes there and unpacked, and how it is opened."""

    offset: int
    packed: int
    size: int
    open: Callable[[], IO[bytes] | None]


Named = tuple[str, Entry]


class Archive(Container):
    """A zip or tar archive. Where all files lie in folders of one folder, that is entered.

    Args:
        spec: The file.
        entries: Its files and their names.
        others: Why other members, by their names, are no files.
    """

    def __init__(self, spec: str, entries: list[Named], others: dict[str, str]) -> None:
        self.spec = spec
        check_total((entry for _, entry in entries), Path(spec).stat().st_size)
        found = {_inside(name): entry for name, entry in entries}
        inside = common_folder(visible(found))
        earlier = [
            (_inside(name), "there again later, and that is read")
            for name, entry in entries
            if found[_inside(name)] is not entry
        ]
        self.others = [
            Skipped(quoted(name.removeprefix(inside)), reason)
            for name, reason in sorted([*others.items(), *earlier])
            if visible([name])
        ]
        self.entries = {n.removeprefix(inside): found[n] for n in found if n.startswith(inside)}

    @property
    def left_out(self) -> tuple[Skipped, ...]:
        return tuple(self.others)

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


def check_total(entries: Iterable[Entry], packed: int) -> None:
    """Check that all members together do not unpack to more than images do.

    Raises:
        ValueError: If they do; those that are too large themselves are skipped anyway.
    """
    sizes = (entry.size for entry in entries if not is_bomb(entry.packed, entry.size))
    if sum(size for size in sizes if size <= LARGEST) > max(LARGEST, RATIO * packed):
        raise ValueError(f"all its files together unpack to more than {RATIO} times its size")


def _inside(name: str) -> str:
    """Return a member's name as unpackers do: without a root, doubled slashes and dots.

    >>> _inside("/x//y.png"), _inside("./x/y.png")
    ('x/y.png', 'x/y.png')
    """
    return str(PurePosixPath(name.lstrip("/")))


def zip_entries(file: zipfile.ZipFile) -> tuple[list[Named], dict[str, str]]:
    """List the files of a zip archive, and why other members are none.

    Backslashes separate folders too: Windows wrote such archives.

    Raises:
        ValueError: If members lie over one another, as in archives that unpack without end, or if there
            are too many.
    """
    items = [item for item in file.infolist() if not slashed(item).endswith("/")]
    check_count(len(items))
    end = 0
    for item in sorted(items, key=lambda item: item.header_offset):
        if item.header_offset < end:
            raise ValueError("its members lie over one another")
        end = item.header_offset + LOCAL_HEADER + item.compress_size
    links = {slashed(i): "a link" for i in items if stat.S_ISLNK(i.external_attr >> 16)}
    entries = [
        (
            slashed(item),
            Entry(item.header_offset, item.compress_size, item.file_size, partial(file.open, item)),
        )
        for item in items
        if slashed(item) not in links
    ]
    return entries, links


def slashed(item: zipfile.ZipInfo) -> str:
    """Return the name of a member with slashes between folders."""
    return item.filename.replace("\\", "/")


def tar_entries(file: tarfile.TarFile, packed: int) -> tuple[list[Named], dict[str, str]]:
    """List the regular files of a tar archive of `packed` bytes, and why other members are none."""
    entries: list[Named] = []
    others: dict[str, str] = {}
    for item in members(file, packed):
        check_count(len(entries) + len(others))
        if (reason := why_no_file(item)) is not None:
            others[item.name] = reason
        elif not item.isdir():
            opened = partial(file.extractfile, item)
            entries.append((item.name, Entry(item.offset, item.size, item.size, opened)))
    return entries, others


def check_count(n: int) -> None:
    """Raise an error for an archive of too many members."""
    if n > MOST_MEMBERS:
        raise ValueError(f"it has more than {MOST_MEMBERS:,} members: give parts of it")


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
    return [name for name in names if not any(map(is_hidden, name.split("/")))]


def common_folder(names: list[str]) -> str:
    """Return the folder, with its slash, that all names but texts lie in; nothing if it has no folders.

    >>> common_folder(["chest/a.png", "chest/b/c.png", "README"]), common_folder(["a.png", "b/c.png"])
    ('chest/', '')
    >>> common_folder(["chest/a.png", "chest/b.png"])
    ''
    """
    names = [name for name in names if not is_companion(name)]
    tops = {name.partition("/")[:2] for name in names}
    deep = any(name.count("/") > 1 for name in names)
    return "".join(tops.pop()) if len(tops) == 1 and deep else ""


def is_container(path: Path) -> bool:
    """Return whether files can be read from `path`: a folder, or an archive by its name."""
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
    check_regular(path)
    with ExitStack() as stack:
        try:
            if path.name.lower().endswith(ZIP):
                found = zip_entries(stack.enter_context(zipfile.ZipFile(path)))
            else:
                packed = path.stat().st_size
                found = tar_entries(stack.enter_context(open_tar(path)), packed)
            archive = Archive(str(path), *found)
        except Exception as error:
            # As above, and a RecursionError for headers of headers of headers.
            raise InputError(
                f"{path} cannot be read as a zip or tar archive ({reason_of(error)})."
            ) from error
        yield archive
