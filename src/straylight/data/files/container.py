"""The interface of folders and archives: files by their names inside."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from straylight.core.errors import reason_of
from straylight.core.limits import LARGEST
from straylight.data.images import SkippedImage


class Container(ABC):
    """Files by their names inside a container, with ``/`` between folders.

    Attributes:
        spec: Path of the container, as the user wrote it.
    """

    spec: str

    @property
    def skipped(self) -> tuple[SkippedImage, ...]:
        """Entries that are not regular files: links, pipes, devices."""
        return ()

    @property
    def aliases(self) -> dict[str, str]:
        """Further names of files that links create, and the name of each file in `names`."""
        return {}

    @abstractmethod
    def names(self) -> list[str]:
        """List all visible files, sorted."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Return whether the file exists."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Return the size of a file in bytes; never more is read from it.

        Raises:
            ValueError: If the size cannot be determined.
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
        """Return the file on disk that contains a file, or is the file."""

    def identity(self, name: str) -> object:
        """Return a value that is equal for all names of one file."""
        return name

    def order(self, names: list[str]) -> list[str]:
        """Return names in the order in which reading them is fastest."""
        return names


@contextmanager
def as_value_error() -> Iterator[None]:
    """Convert any exception from reading to a ValueError with the reason but without a path."""
    try:
        yield
    except Exception as error:
        # zipfile, tarfile and the decompressors raise nearly every exception type for damaged files.
        raise ValueError(f"cannot be read: {reason_of(error)}") from error
