"""Write files atomically: completely or not at all.

Nothing is written through a link: a file is created in a new folder with an unguessable name beside
its destination, and then moved there in one step, which replaces whatever is there.
"""

import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from straylight.core.bounded_read import sha256_of_file
from straylight.core.errors import InputError, reason_of

PARTIAL = ".partial"
OWN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.partial")  # names that `_scratch_folder` creates


def digest_files(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name, as ``sha256sum`` prints it."""
    return {path.name: sha256_of_file(path) for path in paths}


def make_folder(folder: Path) -> None:
    """Create `folder` and check that it is writable.

    Raises:
        InputError: If not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _scratch_folder(folder / "probe") as probe:
            (probe / "probe").touch()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written to ({reason_of(error)}): give another folder (--out)."
        ) from error


def make_inner_folder(folder: Path) -> None:
    """Create a folder inside an output folder, and ensure that it is not a link.

    Raises:
        InputError: If it cannot be created, or is a link or a file.
    """
    if folder.is_symlink():
        raise InputError(
            f"{folder} is a link, and nothing is written through links: remove it, or give another "
            "folder (--out)."
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be created ({reason_of(error)}): give another folder (--out)."
        ) from error


def remove_link(path: Path) -> None:
    """Remove a link at a path to which a library will write."""
    if path.is_symlink():
        with suppress(OSError):
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, so that no reader sees a partial file."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step.

    Raises:
        InputError: If it cannot be written; an existing file is then left unchanged.
    """
    with write_atomically(path) as fresh:
        fresh.write_bytes(data)


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; move it to `path` when the context ends without an error.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        with _scratch_folder(path) as folder:
            fresh = folder / path.name
            yield fresh
            with fresh.open("rb+") as stream:
                os.fsync(stream.fileno())
            fresh.replace(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} cannot be written ({reason_of(error)}): check the disk and the folder. Finished "
            "work is kept, and the same command resumes it."
        ) from error


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a new private folder beside `path`, locked while it is in use."""
    folder = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    folder.mkdir(0o700)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            _lock_folder(descriptor)
            yield folder
        finally:
            os.close(descriptor)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lock_folder(descriptor: int) -> bool:
    """Lock a folder until it is closed or the process ends; return whether this succeeded."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_partial_files(folder: Path) -> None:
    """Remove partial files that killed processes left in a folder, but none that is being written."""
    with suppress(OSError):
        for partial in folder.glob(f".*{PARTIAL}"):
            if found := OWN.fullmatch(partial.name):
                _remove_scratch_folder(partial, found["name"])


def _remove_scratch_folder(partial: Path, name: str) -> None:
    """Remove a scratch folder, unless its writer is alive or it has more than the file `name`."""
    with suppress(OSError):
        descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if {name}.issuperset(os.listdir(partial)) and _lock_folder(descriptor):
                shutil.rmtree(partial, ignore_errors=True)
        finally:
            os.close(descriptor)
