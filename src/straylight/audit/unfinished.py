"""Completed perturbations of an interrupted audit, used to resume it."""

from pathlib import Path
from typing import Any

import jsonschema
import torch

from straylight.audit.files import (
    AUDIT_FILE,
    EXAMPLES,
    PERTURBATIONS,
    PREDICTIONS,
    REPORT,
    UNFINISHED_FILE,
    clear_audit,
    holds_finished_audit,
    path_exists,
    remove_file,
)
from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.audit.schema import Json, check_perturbation_form
from straylight.core.bounded_read import read_bounded, sha256_of_file
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.files import make_folder, make_inner_folder, remove_partial_files, write_text
from straylight.core.json_schema import format_schema_error
from straylight.core.strict_json import parse_sealed_json, seal_json

# Bytes of unfinished.json: an audit that `check_audit_size` accepts fits.
LARGEST_UNFINISHED = 2**27
FORCE = "replace it with force (--force), or give another folder (--out)"


class UnfinishedAudit:
    """The perturbations that are complete in a folder, recorded in `unfinished.json`.

    An audit is finished when `audit.json` exists and `unfinished.json` does not. If a process is killed
    between the two, the same call makes what is missing, such as the report.

    Args:
        folder: The audit's output folder.
        fingerprint: Digest of everything that determines the figures.
        class_names: The classifier's.
        force: Replace an existing audit, finished or not.

    Raises:
        InputError: If the folder cannot be written, or holds a finished audit, or an unfinished one
            with other settings, and `force` is not set.
    """

    def __init__(
        self, folder: Path, fingerprint: str, class_names: tuple[str, ...], *, force: bool
    ) -> None:
        self.folder, self.fingerprint, self.class_names = folder, fingerprint, class_names
        self.path = folder / UNFINISHED_FILE
        self.perturbations: list[Perturbation] = []
        self.audit_sha256 = ""
        self.replaces_audit = holds_finished_audit(folder, force=force)
        make_folder(folder)
        if path_exists(self.path) and not self.replaces_audit:
            self._resume(force=force)

    def _resume(self, *, force: bool) -> None:
        try:
            fingerprint, perturbations, audit_sha256 = read_unfinished(self.path)
        except InputError:
            if not force:
                raise
            self.replaces_audit = True
            return
        if fingerprint == self.fingerprint:
            self.perturbations = [item for item in perturbations if self._has_intact_file(item)]
            self.audit_sha256 = audit_sha256
        elif not force:
            held = "an audit" if path_exists(self.folder / AUDIT_FILE) else "an unfinished audit"
            raise InputError(
                f"{self.folder} holds {held} with other settings, images, code or number of threads (here "
                f"{torch.get_num_threads()}): {FORCE}."
            )
        else:
            self.replaces_audit = True

    def _has_intact_file(self, item: Perturbation) -> bool:
        """Return whether a perturbation's file has its digest: otherwise it is recomputed."""
        try:
            return sha256_of_file(self.folder / item.file) == item.sha256
        except OSError:
            return False

    def start(self, *, show_images: bool) -> None:
        """Prepare the folder; before this call nothing is removed or written.

        Args:
            show_images: Images of the cohort may be kept; if not, those that a killed audit kept are
                removed.
        """
        if self.replaces_audit:
            clear_audit(self.folder)
        elif path_exists(self.path) and not show_images:
            for name in (EXAMPLES, REPORT):
                remove_file(self.folder / name)
        make_inner_folder(self.folder / PERTURBATIONS)
        for folder in (self.folder, self.folder / PERTURBATIONS, self.folder / PREDICTIONS):
            remove_partial_files(folder)

    def matches(self, audit: Audit) -> bool:
        """Return whether an audit is the one written here, with exactly these perturbations."""
        try:
            same = sha256_of_file(self.folder / AUDIT_FILE) == self.audit_sha256
        except OSError:
            return False
        by_name = {item.name: item for item in self.perturbations}
        return same and all(by_name.get(item.name) == item for item in audit.perturbations)

    def find(self, name: str) -> Perturbation | None:
        """Return the complete perturbation of that name, or None."""
        return next((item for item in self.perturbations if item.name == name), None)

    def next_number(self) -> int:
        """Return the lowest unused file number: a recomputed perturbation gets its old one again."""
        used = {Path(item.file).name.partition("-")[0] for item in self.perturbations}
        return next(n for n in range(len(used) + 1) if f"{n:02d}" not in used)

    def add(self, perturbation: Perturbation) -> None:
        """Record a perturbation whose file is written."""
        self.perturbations.append(perturbation)
        self._write({})

    def record_audit(self) -> None:
        """Record the digest of the `audit.json` that has been written, to recognise it after a kill."""
        if self.path.exists():  # not if another process has finished the same audit
            self.audit_sha256 = sha256_of_file(self.folder / AUDIT_FILE)
            self._write({"audit": self.audit_sha256})

    def _write(self, more: Json) -> None:
        """Write `unfinished.json` atomically."""
        items = [item.to_json(self.class_names) for item in self.perturbations]
        content = {"fingerprint": self.fingerprint, "perturbations": items}
        write_text(self.path, seal_json(content | more))

    def close(self) -> None:
        """Remove `unfinished.json`: the audit is finished."""
        remove_file(self.path)


def read_unfinished(path: Path) -> tuple[str, list[Perturbation], str]:
    """Read `unfinished.json`, which must be bit-identical to what was written.

    Returns:
        Its fingerprint, its perturbations, and the digest of `audit.json` if that is written.

    Raises:
        InputError: If it is anything else.
    """
    try:
        data = parse_sealed_json(read_bounded(path, LARGEST_UNFINISHED).decode("utf-8"))
        items = [_parse_perturbation(item) for item in data["perturbations"]]
        return str(data["fingerprint"]), items, str(data.get("audit", ""))
    except jsonschema.ValidationError as error:
        reason = f"it is wrong {format_schema_error(error)}"
    except (OSError, ValueError, TypeError, LookupError) as error:
        reason = reason_of(error)
    raise InputError(f"{path} is broken ({quote_text(reason, 200)}): {FORCE}.")


def _parse_perturbation(item: Any) -> Perturbation:  # noqa: ANN401
    """Parse one perturbation, which must have the digest of its file.

    Raises:
        jsonschema.ValidationError: If it does not follow the schema of `audit.json`.
    """
    check_perturbation_form(item, "sha256")
    return Perturbation.from_json(item)
