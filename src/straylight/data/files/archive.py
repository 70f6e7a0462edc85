"""Zip and tar archives as containers of files, read without unpacking them."""

import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from straylight.core.errors import quote_text
from straylight.core.limits import LARGEST, RATIO, is_bomb
from straylight.data.files.container import Container, as_value_error
from straylight.data.files.non_images import is_companion, is_hidden
from straylight.data.files.tar import iterate_members, reason_not_file
from straylight.data.images import SkippedImage

MOST_MEMBERS = 500_000  # of one archive
LOCAL_HEADER = 30  # bytes before the name of a member of a zip archive
ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


@dataclass(frozen=True)
class ArchiveMember:
    """A file in an archive: its offset, packed and unpacked size in bytes, and a function that opens it."""

    offset: int
    packed: int
    size: int
    open: Callable[[], IO[bytes] | None]


NamedMember = tuple[str, ArchiveMember]


class Archive(Container):
    """A zip or tar archive. If all files are in subfolders of one folder, names are relative to it.

    Args:
        spec: The archive file.
        entries: Names and members of its files.
        others: Names of the other members, and why they are not files.
    """

    def __init__(self, spec: str, entries: list[NamedMember], others: dict[str, str]) -> None:
        self.spec = spec
        _check_total_size((entry for _, entry in entries), Path(spec).stat().st_size)
        found = {_normalize_member_name(name): entry for name, entry in entries}
        inside = _common_folder(_visible_names(found))
        earlier = [
            (
                _normalize_member_name(name),
                "the archive has this name again later, and that file is read",
            )
            for name, entry in entries
            if found[_normalize_member_name(name)] is not entry
        ]
        self._skipped = [
            SkippedImage(quote_text(name.removeprefix(inside)), reason)
            for name, reason in sorted([*others.items(), *earlier])
            if _visible_names([name])
        ]
        self.entries = {n.removeprefix(inside): found[n] for n in found if n.startswith(inside)}

    @property
    def skipped(self) -> tuple[SkippedImage, ...]:
        return tuple(self._skipped)

    def names(self) -> list[str]:
        return sorted(_visible_names(self.entries))

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
        with as_value_error():
            stream = self.entries[name].open()
            assert stream is not None  # it is a regular file
            with stream:
                return stream.read(largest)

    def on_disk(self, name: str) -> Path:
        return Path(self.spec)


def _check_total_size(entries: Iterable[ArchiveMember], packed: int) -> None:
    """Check the total unpacked size of all members, omitting those that are skipped as too large.

    Raises:
        ValueError: If the archive is a decompression bomb.
    """
    sizes = (entry.size for entry in entries if not is_bomb(entry.packed, entry.size))
    if sum(size for size in sizes if size <= LARGEST) > max(LARGEST, RATIO * packed):
        raise ValueError(f"all its files together unpack to more than {RATIO} times its size")


def _normalize_member_name(name: str) -> str:
    """Return a member's name as archivers unpack it: without root, double slashes and dots.

    >>> _normalize_member_name("/x//y.png"), _normalize_member_name("./x/y.png")
    ('x/y.png', 'x/y.png')
    """
    return str(PurePosixPath(name.lstrip("/")))


def list_zip_members(file: zipfile.ZipFile) -> tuple[list[NamedMember], dict[str, str]]:
    """List the files of a zip archive, and why other members are not files.

    Backslashes also separate folders, as in archives written on Windows.

    Raises:
        ValueError: If members overlap, as in some decompression bombs, or there are too many.
    """
    items = [item for item in file.infolist() if not _slashed_name(item).endswith("/")]
    _check_member_count(len(items))
    end = 0
    for item in sorted(items, key=lambda item: item.header_offset):
        if item.header_offset < end:
            raise ValueError("its members overlap")
        end = item.header_offset + LOCAL_HEADER + item.compress_size
    links = {_slashed_name(i): "a link" for i in items if stat.S_ISLNK(i.external_attr >> 16)}
    entries = [
        (
            _slashed_name(item),
            ArchiveMember(
                item.header_offset, item.compress_size, item.file_size, partial(file.open, item)
            ),
        )
        for item in items
        if _slashed_name(item) not in links
    ]
    return entries, links


def _slashed_name(item: zipfile.ZipInfo) -> str:
    """Return the name of a zip member with slashes between folders."""
    return item.filename.replace("\\", "/")


def list_tar_members(
    file: tarfile.TarFile, packed: int
) -> tuple[list[NamedMember], dict[str, str]]:
    """List the files of a tar archive of `packed` bytes, and why other members are not files."""
    entries: list[NamedMember] = []
    others: dict[str, str] = {}
    for item in iterate_members(file, packed):
        _check_member_count(len(entries) + len(others))
        if (reason := reason_not_file(item)) is not None:
            others[item.name] = reason
        elif not item.isdir():
            opened = partial(file.extractfile, item)
            entries.append((item.name, ArchiveMember(item.offset, item.size, item.size, opened)))
    return entries, others


def _check_member_count(n: int) -> None:
    """Raise ValueError if an archive has too many members."""
    if n > MOST_MEMBERS:
        raise ValueError(f"it has more than {MOST_MEMBERS:,} members: give parts of it")


def _visible_names(names: Iterable[str]) -> list[str]:
    """Omit hidden files, such as `.DS_Store`, `._photo.jpg` or `__MACOSX`."""
    return [name for name in names if not any(map(is_hidden, name.split("/")))]


def _common_folder(names: list[str]) -> str:
    """Return the folder, with its slash, that all images are in; empty if it has no subfolders.

    >>> _common_folder(["chest/a.png", "chest/b/c.png", "README"]), _common_folder(["a.png", "b/c.png"])
    ('chest/', '')
    >>> _common_folder(["chest/a.png", "chest/b.png"])
    ''
    """
    names = [name for name in names if not is_companion(name)]
    tops = {name.partition("/")[:2] for name in names}
    deep = any(name.count("/") > 1 for name in names)
    return "".join(tops.pop()) if len(tops) == 1 and deep else ""
