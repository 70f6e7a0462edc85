"""A folder as a container of files."""

from functools import cached_property
from pathlib import Path

from straylight.data.files.container import Container, as_value_error
from straylight.data.files.folder_walk import FolderListing, list_folder
from straylight.data.files.regular import open_regular
from straylight.data.images import SkippedImage


class Folder(Container):
    """A folder of any depth; links are followed (see `list_folder`)."""

    def __init__(self, path: Path) -> None:
        self.path, self.spec = path, str(path)

    @cached_property
    def _walk(self) -> FolderListing:
        return list_folder(self.path)

    @property
    def skipped(self) -> tuple[SkippedImage, ...]:
        return tuple(self._walk.skipped)

    @property
    def aliases(self) -> dict[str, str]:
        return self._walk.aliases

    def names(self) -> list[str]:
        return list(self._walk.names)

    def has(self, name: str) -> bool:
        try:
            return (self.path / name).is_file()
        except (OSError, ValueError):  # not a valid file name
            return False

    def size(self, name: str) -> int:
        with as_value_error():
            return (self.path / name).stat().st_size

    def head(self, name: str, largest: int) -> bytes:
        with as_value_error(), open_regular(self.path / name) as stream:
            return stream.read(largest)

    def on_disk(self, name: str) -> Path:
        return self.path / name

    def identity(self, name: str) -> object:
        try:
            found = (self.path / name).stat()
        except OSError:
            return name
        return found.st_dev, found.st_ino
