"""Reading of files that are files, and no larger than such a file is."""

import hashlib
import os
import stat
from pathlib import Path

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_bounded(path: Path, largest: int) -> bytes:
    """Read a file that is one, and no larger than such a file is.

    Raises:
        OSError: If it is missing, a folder, a pipe, a device, or larger than `largest` bytes.
        ValueError: If no file can have such a name.
    """
    check_regular(os.stat(path), largest)  # before it is opened: to open a device may do something
    with open(os.open(path, READ), "rb") as stream:
        found = os.fstat(stream.fileno())
        check_regular(found, largest)
        data = stream.read(found.st_size + 1)
    if len(data) > found.st_size:
        raise OSError(0, "it grows while it is read", str(path))
    return data


def check_regular(found: os.stat_result, largest: int | None = None) -> None:
    """Check that a file is a regular one, and not too large.

    Raises:
        OSError: If not; its text says what it is.
    """
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, f"it is {KINDS.get(stat.S_IFMT(found.st_mode), 'something else')}")
    if largest is not None and found.st_size > largest:
        raise OSError(0, f"it has {found.st_size:,} bytes, and at most {largest:,} are read")


def digest_of(data: bytes) -> str:
    """Compute the SHA-256 of bytes, as `sha256sum` writes it."""
    return hashlib.sha256(data).hexdigest()


def digest_of_file(path: Path) -> str:
    """Compute the SHA-256 of a regular file of any size.

    Raises:
        OSError: If it is missing or something else.
    """
    check_regular(os.stat(path))
    with open(os.open(path, READ), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
