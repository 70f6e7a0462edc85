"""List the files below a folder; links are followed without loops."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path

from straylight.core.errors import InputError, quote_text, reason_of
from straylight.data.files.non_images import is_hidden
from straylight.data.files.regular import special_file_kind
from straylight.data.images import SkippedImage

MOST_FILES = 4_000_000  # below one folder: three times ImageNet
MOST_DEEP = 256  # folders in folders
SYSTEM = (("proc",), ("sys",), ("dev",))  # folders without regular files
_Key = tuple[int, int]  # device and number of a file on it


@dataclass
class FolderListing:
    """The visible files below a folder.

    Attributes:
        names: Names of the regular files, sorted, with ``/`` between folders.
        skipped: Entries that are not regular files: pipes, devices, broken links.
        aliases: Further names that links give to files and folders, and the name under which each is read.
    """

    names: list[str] = field(default_factory=list)
    skipped: list[SkippedImage] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)


def list_folder(root: Path, *, follow: bool = True) -> FolderListing:
    """List the files below a folder, including the targets of links.

    A file that several names lead to is listed once: under its own name if that is below the folder,
    else under the first link in sorted order. So links cannot cause loops.

    Args:
        root: The folder.
        follow: Follow links; otherwise skip them.

    Raises:
        InputError: If the folder cannot be opened, or there are too many files.
    """
    return _FolderWalker(root, follow).found


class _FolderWalker:
    """Visits each folder once, first those that are reachable without links."""

    def __init__(self, root: Path, follow: bool) -> None:
        self.root, self.follow, self.found, self.count = root, follow, FolderListing(), 0
        self.folders: dict[_Key, str] = {}
        self.linked_files: list[tuple[str, _Key]] = []
        self.linked_folders: list[tuple[str, _Key]] = []
        try:
            self._visit("", _file_identity(os.stat(root)), linked=False)
        except OSError as error:
            raise InputError(f"{root} cannot be opened ({reason_of(error)}).") from error
        while self.linked_folders:
            name, key = heappop(self.linked_folders)
            if key in self.folders:
                self.found.aliases[name] = self.folders[key] or "."
            else:
                self._visit_all(name, key, linked=True)
        self._keep_first_of_linked_files()
        self.found.names.sort()
        self.found.skipped.sort(key=lambda item: item.file)

    def _visit_all(self, name: str, key: _Key, *, linked: bool) -> None:
        try:
            self._visit(name, key, linked=linked)
        except OSError as error:
            self._skip(name, f"cannot be opened: {reason_of(error)}")

    def _visit(self, top: str, key: _Key, *, linked: bool) -> None:
        """List a folder and its subfolders."""
        stack = [(top, key)]
        while stack:
            inside, key = stack.pop()
            self.folders[key] = inside
            try:
                entries = os.scandir(self.root / inside)
            except OSError as error:
                if inside == top:
                    raise
                self._skip(inside, f"cannot be opened: {reason_of(error)}")
                continue
            with entries:
                for entry in entries:
                    if is_hidden(entry.name):
                        continue
                    self.count += 1
                    if self.count > MOST_FILES:
                        raise InputError(
                            f"{self.root} has more than {MOST_FILES:,} files: give a subset."
                        )
                    name = f"{inside}/{entry.name}" if inside else entry.name
                    if (folder := self._enter(entry, name, linked=linked)) is not None:
                        stack.append(folder)

    def _enter(
        self, entry: os.DirEntry[str], name: str, *, linked: bool
    ) -> tuple[str, _Key] | None:
        """Record a file, or return a folder to visit next."""
        is_link = entry.is_symlink()
        if is_link and not self.follow:
            self._skip(name, "a link, which is not followed here")
            return None
        try:
            if not is_link and not linked and entry.is_file():
                self.found.names.append(name)
                return None
            status = os.stat(entry.path)
        except OSError as error:
            self._skip(name, "a broken link" if is_link else reason_of(error))
            return None
        key = _file_identity(status)
        if not stat.S_ISDIR(status.st_mode):
            if (kind := special_file_kind(status.st_mode)) is not None:
                self._skip(name, f"{kind}, which is not opened")
            else:
                self.linked_files.append((name, key))
        elif is_link and (reason := self._why_not(entry.path)) is not None:
            self._skip(name, reason)
        elif is_link:
            heappush(self.linked_folders, (name, key))
        elif name.count("/") > MOST_DEEP:
            self._skip(name, f"nested more than {MOST_DEEP} folders deep")
        elif key not in self.folders:  # a folder below a linked one may have been visited before
            return name, key
        else:
            self.found.aliases[name] = self.folders[key] or "."
        return None

    def _why_not(self, link: str) -> str | None:
        """Return why a link to a folder is not followed, or None."""
        target = Path(os.path.realpath(link))
        for inner in (os.path.realpath(self.root), os.path.realpath(os.path.dirname(link))):
            if Path(inner).is_relative_to(target):
                return "a link to a folder that contains it"
        return "a link to a system folder" if target.parts[1:2] in SYSTEM else None

    def _keep_first_of_linked_files(self) -> None:
        own: dict[_Key, str] = {}
        if self.linked_files:
            for name in sorted(self.found.names, reverse=True):
                with suppress(OSError):
                    own[_file_identity(os.stat(self.root / name))] = name
        for name, key in sorted(self.linked_files):
            first = own.setdefault(key, name)
            if first == name:
                self.found.names.append(name)
            else:
                self.found.aliases[name] = first

    def _skip(self, name: str, reason: str) -> None:
        self.found.skipped.append(SkippedImage(quote_text(name), reason))


def _file_identity(status: os.stat_result) -> _Key:
    return status.st_dev, status.st_ino
