"""The finished perturbations of an unfinished audit, so that a killed one can go on."""

import json
import shutil
from pathlib import Path

from straylight.archive import AUDIT_FILE
from straylight.errors import InputError
from straylight.files import make_folder, write_text
from straylight.results import Perturbation

LEDGER_FILE = "unfinished.json"
PERTURBATIONS, PREDICTIONS = "perturbations", "predictions"
EXAMPLES, PHOTOGRAPHS, ADAPTED = "examples.npy", "photographs.npy", "adapted.npy"
REPORT = "report.html"


class Ledger:
    """Perturbations finished so far in a folder.

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
        if self.path.exists() and not self.in_the_way:
            self._resume(force=force)

    def _resume(self, *, force: bool) -> None:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            same = data["fingerprint"] == self.fingerprint
            found = [Perturbation.from_json(item) for item in data["perturbations"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            if not force:
                raise InputError(
                    f"{self.path} is broken ({error}): use --force to start again."
                ) from error
            same = False
        if same:
            self.finished = [item for item in found if (self.folder / item.file).is_file()]
        elif not force:
            raise InputError(
                f"{self.folder} holds an unfinished audit with other settings: "
                "use --force to throw it away, or give another --out."
            )
        else:
            self.in_the_way = True

    def open(self) -> None:
        """Throw away what is in the way, and begin. Until then nothing is removed or written."""
        if self.in_the_way:
            clear(self.folder)
        (self.folder / PERTURBATIONS).mkdir(exist_ok=True)

    def find(self, name: str) -> Perturbation | None:
        """Return the finished perturbation of that name, if there is one."""
        return next((item for item in self.finished if item.name == name), None)

    def add(self, perturbation: Perturbation) -> None:
        """Record a perturbation whose file is written."""
        self.finished.append(perturbation)
        items = [item.to_json(self.class_names) for item in self.finished]
        content = {"fingerprint": self.fingerprint, "perturbations": items}
        write_text(self.path, json.dumps(content, indent=1))

    def close(self) -> None:
        """Forget the ledger: the audit is written."""
        self.path.unlink(missing_ok=True)


def check_free(folder: Path, *, force: bool) -> None:
    """See that `folder` holds no finished audit, or clear it away if `force` is set."""
    if occupied(folder, force=force):
        clear(folder)


def occupied(folder: Path, *, force: bool) -> bool:
    """Tell whether `folder` holds a finished audit, which only `force` may replace."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a folder as --out.")
    found = (folder / AUDIT_FILE).exists()
    if found and not force:
        raise InputError(
            f"{folder} already holds an audit: use --force to replace it, or give another --out."
        )
    return found


def clear(folder: Path) -> None:
    """Remove what an audit writes, and nothing else."""
    for name in (AUDIT_FILE, LEDGER_FILE, EXAMPLES, PHOTOGRAPHS, ADAPTED, REPORT):
        (folder / name).unlink(missing_ok=True)
    for name in (PERTURBATIONS, PREDICTIONS):
        shutil.rmtree(folder / name, ignore_errors=True)
