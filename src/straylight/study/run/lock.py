"""The lock of a study's folder: one process runs a study at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from straylight.core.errors import InputError, reason_of
from straylight.core.files import remove_link

LOCK = "lock"


class _BusyError(InputError):
    """Another process runs the study."""


@contextmanager
def lock_study(study: Path) -> Iterator[None]:
    """Hold the lock of a study; it is released when its process ends.

    Raises:
        InputError: If another process holds it, or if its path is not a file.
    """
    remove_link(study / LOCK)
    lock = FileLock(study / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise _BusyError(
            f"another process runs a study in {study}: wait for it, or give another --out."
        ) from None
    except OSError as error:
        raise InputError(
            f"{study / LOCK} cannot be used as a lock ({reason_of(error)}): delete it, or give another "
            "folder (--out)."
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_study_running(study: Path) -> bool:
    """Return whether a process is running the study."""
    try:
        with lock_study(study):
            return False
    except _BusyError:
        return True
    except (InputError, OSError):
        return False  # nothing can run in a folder that is not writable
