"""Regular files: nothing else is ever opened, since pipes wait for ever and devices never end."""

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


def kind_of(mode: int) -> str | None:
    """Name what is neither a regular file nor a folder (None: it is one of them).

    >>> kind_of(stat.S_IFIFO), kind_of(stat.S_IFREG)
    ('a named pipe', None)
    """
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else KINDS.get(stat.S_IFMT(mode), "?")


def check_regular(path: Path) -> None:
    """Raise an error for a pipe, a socket or a device; what is missing is for the reader to name.

    Raises:
        InputError: If it is one.
    """
    try:
        kind = kind_of(path.stat().st_mode)
    except (OSError, ValueError):
        return
    if kind is not None:
        raise InputError(f"{path} is {kind}: give a file or a folder.")


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, without waiting, even if it was exchanged since it was listed.

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
