"""The finished perturbations of an unfinished audit, so that a killed one can go on."""

import shutil
from pathlib import Path
from typing import Any

import jsonschema

from straylight.archive import AUDIT_FILE
from straylight.bounded import digest_of_file, read_bounded
from straylight.errors import InputError, quoted, reason_of
from straylight.files import make_folder, make_inner_folder, sweep, write_text
from straylight.jsons import check_follows, misfit, sealed, unsealed
from straylight.results import Audit, Perturbation
from straylight.schema import json_schema

LEDGER_FILE = "unfinished.json"
PERTURBATIONS, PREDICTIONS = "perturbations", "predictions"
EXAMPLES, PHOTOGRAPHS, ADAPTED = "examples.npy", "photographs.npy", "adapted.npy"
REPORT = "report.html"
LARGEST = 2**26  # bytes of a ledger
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
        self.in_the_way = occupied(folder, force=force)
        make_folder(folder)
        if is_there(self.path) and not self.in_the_way:
            self._resume(force=force)

    def _resume(self, *, force: bool) -> None:
        try:
            fingerprint, found = read_ledger(self.path)
        except InputError:
            if not force:
                raise
            self.in_the_way = True
            return
        if fingerprint == self.fingerprint:
            self.finished = [item for item in found if self._is_whole(item)]
        elif not force:
            held = "an audit" if is_there(self.folder / AUDIT_FILE) else "an unfinished audit"
            raise InputError(f"{self.folder} holds {held} with other settings: {FORCE}.")
        else:
            self.in_the_way = True

    def _is_whole(self, item: Perturbation) -> bool:
        """Check a perturbation's file by its digest: one that is lost or altered is made again."""
        try:
            return digest_of_file(self.folder / item.file) == item.sha256
        except OSError:
            return False

    def open(self) -> None:
        """Throw away what is in the way, and begin. Until then nothing is removed or written."""
        if self.in_the_way:
            clear(self.folder)
        make_inner_folder(self.folder / PERTURBATIONS)
        for folder in (self.folder, self.folder / PERTURBATIONS, self.folder / PREDICTIONS):
            sweep(folder)

    def holds(self, audit: Audit) -> bool:
        """Report whether an audit is of these perturbations, all of them as they were written."""
        known = {item.name: item.sha256 for item in self.finished}
        return all(known.get(item.name) == item.sha256 for item in audit.perturbations)

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
        items = [item.to_json(self.class_names) for item in self.finished]
        write_text(self.path, sealed({"fingerprint": self.fingerprint, "perturbations": items}))

    def close(self) -> None:
        """Forget the ledger: the audit is written."""
        remove(self.path)


def read_ledger(path: Path) -> tuple[str, list[Perturbation]]:
    """Read a ledger, which must be, to the bit, what was written.

    Returns:
        Its fingerprint and its perturbations.

    Raises:
        InputError: If it is anything else.
    """
    try:
        data = unsealed(read_bounded(path, LARGEST).decode("utf-8"))
        return str(data["fingerprint"]), [as_perturbation(item) for item in data["perturbations"]]
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
    form = json_schema()["properties"]["perturbations"]["items"]
    check_follows(item, form | {"required": [*form["required"], "sha256"]})
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
    """Remove what an audit writes, and nothing else; of links, not what they lead to."""
    for name in (AUDIT_FILE, LEDGER_FILE, EXAMPLES, PHOTOGRAPHS, ADAPTED, REPORT):
        remove(folder / name)
    for name in (PERTURBATIONS, PREDICTIONS):
        if (folder / name).is_symlink():
            remove(folder / name)
        shutil.rmtree(folder / name, ignore_errors=True)
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
