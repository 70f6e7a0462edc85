"""Bounded reading: regular files only, up to a given size."""

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
    """Read a regular file of at most `largest` bytes.

    Raises:
        OSError: If it is missing, too large, or a folder, a pipe or a device.
        ValueError: If the name is not a valid file name.
    """
    check_regular_status(
        os.stat(path), largest
    )  # before it is opened: opening a device may have side effects
    with open(os.open(path, READ), "rb") as stream:
        found = os.fstat(stream.fileno())
        check_regular_status(found, largest)
        data = stream.read(found.st_size + 1)
    if len(data) > found.st_size:
        raise OSError(0, "it grew while it was read", str(path))
    return data


def check_regular_status(found: os.stat_result, largest: int | None = None) -> None:
    """Check that a file is regular and not too large.

    Raises:
        OSError: If not; the text names what it is.
    """
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, f"it is {KINDS.get(stat.S_IFMT(found.st_mode), 'something else')}")
    if largest is not None and found.st_size > largest:
        raise OSError(0, f"it has {found.st_size:,} bytes, and at most {largest:,} are read")


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of bytes in hex, as `sha256sum` prints it."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a regular file of any size, in hex.

    Raises:
        OSError: If it is missing or not a regular file.
    """
    check_regular_status(os.stat(path))
    with open(os.open(path, READ), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
