"""The finished perturbations of an unfinished audit, so that a killed one can go on."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import torch

from straylight.audit.results import Audit, Perturbation
from straylight.audit.schema import Json, check_perturbation
from straylight.audit.storage import AUDIT_FILE
from straylight.core.bounded_read import digest_of_file, read_bounded
from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.files import make_folder, make_inner_folder, sweep, write_text
from straylight.core.strict_json import misfit, sealed, unsealed

LEDGER_FILE = "unfinished.json"
PERTURBATIONS, PREDICTIONS = "perturbations", "predictions"
EXAMPLES, PHOTOGRAPHS, ADAPTED = "examples.npy", "photographs.npy", "adapted.npy"
REPORT = "report.html"
OWN_ARRAY = re.compile(r"([0-9]{2,}-[a-z0-9-]*|clean)\.npy")  # in perturbations and predictions
LARGEST = 2**27  # bytes of a ledger: what `check_room` lets begin fits
FORCE = "replace it with force (--force), or give another folder (--out)"


class Ledger:
    """Perturbations finished so far in a folder.

    An audit is finished when `audit.json` is there and the ledger is not: what lies between, such as
    its report, is made again by the same call.

    Args:
        folder: The audit's output folder.
        fingerprint: Digest of everything that determines the figures.
        class_names: The classifier's.
        force: Throw away an audit, finished or not, that is in the way.

    Raises:
        InputError: If the folder cannot be written, or holds a finished audit, or an unfinished one
            of other settings, and `force` is not set.
    """

    def __init__(
        self, folder: Path, fingerprint: str, class_names: tuple[str, ...], *, force: bool
    ) -> None:
        self.folder, self.fingerprint, self.class_names = folder, fingerprint, class_names
        self.path = folder / LEDGER_FILE
        self.finished: list[Perturbation] = []
        self.audit_sha256 = ""
        self.in_the_way = occupied(folder, force=force)
        make_folder(folder)
        if is_there(self.path) and not self.in_the_way:
            self._resume(force=force)

    def _resume(self, *, force: bool) -> None:
        try:
            fingerprint, found, written = read_ledger(self.path)
        except InputError:
            if not force:
                raise
            self.in_the_way = True
            return
        if fingerprint == self.fingerprint:
            self.finished = [item for item in found if self._is_whole(item)]
            self.audit_sha256 = written
        elif not force:
            held = "an audit" if is_there(self.folder / AUDIT_FILE) else "an unfinished audit"
            raise InputError(
                f"{self.folder} holds {held} with other settings, images, code or number of threads (here "
                f"{torch.get_num_threads()}): {FORCE}."
            )
        else:
            self.in_the_way = True

    def _is_whole(self, item: Perturbation) -> bool:
        """Check a perturbation's file by its digest: one that is lost or altered is made again."""
        try:
            return digest_of_file(self.folder / item.file) == item.sha256
        except OSError:
            return False

    def open(self, *, show_images: bool) -> None:
        """Throw away what is in the way, and begin. Until then nothing is removed or written.

        Args:
            show_images: Images of the cohort may be kept; if not, those that a killed audit kept go.
        """
        if self.in_the_way:
            clear(self.folder)
        elif is_there(self.path) and not show_images:
            for name in (EXAMPLES, REPORT):
                remove(self.folder / name)
        make_inner_folder(self.folder / PERTURBATIONS)
        for folder in (self.folder, self.folder / PERTURBATIONS, self.folder / PREDICTIONS):
            sweep(folder)

    def holds(self, audit: Audit) -> bool:
        """Report whether an audit is the one that was written here, with these very perturbations."""
        try:
            same = digest_of_file(self.folder / AUDIT_FILE) == self.audit_sha256
        except OSError:
            return False
        known = {item.name: item for item in self.finished}
        return same and all(known.get(item.name) == item for item in audit.perturbations)

    def find(self, name: str) -> Perturbation | None:
        """Return the finished perturbation of that name, if there is one."""
        return next((item for item in self.finished if item.name == name), None)

    def next_number(self) -> int:
        """Return the least number that no file has: one that is made again gets its own back."""
        used = {Path(item.file).name.partition("-")[0] for item in self.finished}
        return next(n for n in range(len(used) + 1) if f"{n:02d}" not in used)

    def add(self, perturbation: Perturbation) -> None:
        """Record a perturbation whose file is written."""
        self.finished.append(perturbation)
        self._write({})

    def enter_audit(self) -> None:
        """Record the digest of the `audit.json` that has been written: no other is taken for it."""
        if self.path.exists():  # not if another process has finished the same audit
            self.audit_sha256 = digest_of_file(self.folder / AUDIT_FILE)
            self._write({"audit": self.audit_sha256})

    def _write(self, more: Json) -> None:
        """Write the ledger, whole or not at all."""
        items = [item.to_json(self.class_names) for item in self.finished]
        content = {"fingerprint": self.fingerprint, "perturbations": items}
        write_text(self.path, sealed(content | more))

    def close(self) -> None:
        """Forget the ledger: the audit is written."""
        remove(self.path)


def read_ledger(path: Path) -> tuple[str, list[Perturbation], str]:
    """Read a ledger, which must be, to the bit, what was written.

    Returns:
        Its fingerprint, its perturbations, and the digest of `audit.json` if that is written.

    Raises:
        InputError: If it is anything else.
    """
    try:
        data = unsealed(read_bounded(path, LARGEST).decode("utf-8"))
        items = [as_perturbation(item) for item in data["perturbations"]]
        return str(data["fingerprint"]), items, str(data.get("audit", ""))
    except jsonschema.ValidationError as error:
        reason = f"it is wrong {misfit(error)}"
    except (OSError, ValueError, TypeError, LookupError) as error:
        reason = reason_of(error)
    raise InputError(f"{path} is broken ({quoted(reason, 200)}): {FORCE}.")


def as_perturbation(item: Any) -> Perturbation:  # noqa: ANN401
    """Return a perturbation of a ledger, which says the digest of its file.

    Raises:
        jsonschema.ValidationError: If it does not follow the schema of `audit.json`.
    """
    check_perturbation(item, "sha256")
    return Perturbation.from_json(item)


def occupied(folder: Path, *, force: bool) -> bool:
    """Report whether `folder` holds a finished audit, which only `force` may replace."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a folder (--out).")
    found = is_there(folder / AUDIT_FILE) and not is_there(folder / LEDGER_FILE)
    if found and not force:
        raise InputError(
            f"{folder} already holds an audit: use --force to replace it, or give another folder (--out)."
        )
    return found


def is_there(path: Path) -> bool:
    """Report whether anything stands at a path, be it a link that leads nowhere."""
    return path.is_symlink() or path.exists()


def clear(folder: Path) -> None:
    """Remove what an audit writes, by its names, and nothing else; of links, not what they lead to."""
    for name in (AUDIT_FILE, LEDGER_FILE, EXAMPLES, PHOTOGRAPHS, ADAPTED, REPORT):
        remove(folder / name)
    for name in (PERTURBATIONS, PREDICTIONS):
        inner = folder / name
        if inner.is_symlink():
            remove(inner)
        elif inner.is_dir():
            for path in inner.iterdir():
                if OWN_ARRAY.fullmatch(path.name) and (path.is_symlink() or path.is_file()):
                    remove(path)
            sweep(inner)
            with suppress(OSError):  # it holds something of somebody else's
                inner.rmdir()
    sweep(folder)


def remove(path: Path) -> None:
    """Remove a file or a link, if it is there.

    Raises:
        InputError: If it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be removed ({reason_of(error)}): give another folder (--out)."
        ) from error
