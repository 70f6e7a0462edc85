"""Open regular files only, since pipes and devices may block or never end."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from straylight.core.errors import InputError

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def special_file_kind(mode: int) -> str | None:
    """Return the kind of a special file; None for a regular file or a folder.

    >>> special_file_kind(stat.S_IFIFO), special_file_kind(stat.S_IFREG)
    ('a named pipe', None)
    """
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else KINDS.get(stat.S_IFMT(mode), "?")


def check_not_special(path: Path) -> None:
    """Check that a path is not a pipe, a socket or a device; missing files pass.

    Raises:
        InputError: If it is one of them.
    """
    try:
        kind = special_file_kind(path.stat().st_mode)
    except (OSError, ValueError):
        return
    if kind is not None:
        raise InputError(f"{path} is {kind}: give a file or a folder.")


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading without blocking, even if it was replaced since it was listed.

    Raises:
        OSError: If it cannot be opened.
        ValueError: If it is not a regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("not a regular file")
    return os.fdopen(descriptor, "rb")
