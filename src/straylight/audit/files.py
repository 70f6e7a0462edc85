"""Files in an audit's folder: their names, and how they are removed."""

import re
from contextlib import suppress
from pathlib import Path

from straylight.core.errors import InputError, reason_of
from straylight.core.files import remove_partial_files

AUDIT_FILE, UNFINISHED_FILE = "audit.json", "unfinished.json"
PERTURBATIONS, PREDICTIONS = "perturbations", "predictions"
EXAMPLES, PHOTOGRAPHS, ADAPTED = "examples.npy", "photographs.npy", "adapted.npy"
REPORT = "report.html"
_OWN_ARRAY = re.compile(r"([0-9]{2,}-[a-z0-9-]*|clean)\.npy")  # in perturbations and predictions


def holds_finished_audit(folder: Path, *, force: bool) -> bool:
    """Return whether `folder` holds a finished audit, which only `force` may replace.

    Raises:
        InputError: If it does and `force` is not set, or `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a folder (--out).")
    finished = path_exists(folder / AUDIT_FILE) and not path_exists(folder / UNFINISHED_FILE)
    if finished and not force:
        raise InputError(
            f"{folder} already holds an audit: use --force to replace it, or give another folder (--out)."
        )
    return finished


def path_exists(path: Path) -> bool:
    """Return whether a path exists; a broken link counts."""
    return path.is_symlink() or path.exists()


def clear_audit(folder: Path) -> None:
    """Remove the files that an audit writes, by name, and nothing else; links are not followed."""
    for name in (AUDIT_FILE, UNFINISHED_FILE, EXAMPLES, PHOTOGRAPHS, ADAPTED, REPORT):
        remove_file(folder / name)
    for name in (PERTURBATIONS, PREDICTIONS):
        inner = folder / name
        if inner.is_symlink():
            remove_file(inner)
        elif inner.is_dir():
            for path in inner.iterdir():
                if _OWN_ARRAY.fullmatch(path.name) and (path.is_symlink() or path.is_file()):
                    remove_file(path)
            remove_partial_files(inner)
            with suppress(OSError):  # it holds files of somebody else
                inner.rmdir()
    remove_partial_files(folder)


def remove_file(path: Path) -> None:
    """Remove a file or a link, if it exists.

    Raises:
        InputError: If it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be removed ({reason_of(error)}): give another folder (--out)."
        ) from error
