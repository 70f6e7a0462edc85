"""An audit that is written: what a kill left undone after it, and whether its files are still its own."""

from collections.abc import Callable
from pathlib import Path

import torch

from straylight.audit.results import Audit
from straylight.audit.storage import AUDIT_FILE, load_audit
from straylight.audit.unfinished import LEDGER_FILE, Ledger
from straylight.core.bounded_read import digest_of_file
from straylight.core.errors import InputError


def finished(
    audit: Audit, out: Path, finish: Callable[[Path], object] | None, ledger: Ledger | None = None
) -> Audit:
    """Do what is left when an audit is written; only then it is no longer unfinished."""
    if ledger is not None:
        ledger.enter_audit()
    if finish is not None:
        finish(out)
    if ledger is not None:
        ledger.close()
    return audit


def written_audit(ledger: Ledger, *, show_images: bool) -> Audit | None:
    """Return the audit that was written before its process was killed, if it is whole and as wanted."""
    if not ledger.finished or not (ledger.folder / AUDIT_FILE).exists():
        return None
    try:
        audit = load_audit(ledger.folder)
        check_files(audit, ledger.folder)
    except InputError:
        return None  # it is made again
    same = audit.environment.get("fingerprint") == ledger.fingerprint
    wanted = shows_images(audit) == show_images
    return audit if same and wanted and ledger.holds(audit) else None


def shows_images(audit: Audit) -> bool:
    """Report whether an audit keeps images of its cohort for the report."""
    return audit.cohort.examples is not None


def finished_audit(folder: Path, digest: str, *, show_images: bool) -> Audit | None:
    """Return the finished audit in a folder, if it is of these settings, images and code."""
    if not (folder / AUDIT_FILE).exists() or (folder / LEDGER_FILE).exists():
        return None
    audit = load_audit(folder)
    check_files(audit, folder)
    same = audit.environment.get("fingerprint") == digest
    if not same or shows_images(audit) != show_images:
        raise InputError(
            f"{folder} already holds an audit of other settings, images or code, or of another number of "
            f"threads (here {torch.get_num_threads()}): use --force to replace it, or give another folder "
            "(--out)."
        )
    return audit


def check_files(audit: Audit, folder: Path) -> None:
    """Check the digests of all files that an audit names.

    Raises:
        InputError: If one is missing or not the one that was written.
    """
    named: list[tuple[str, str]] = [(item.file, item.sha256) for item in audit.perturbations]
    named.append((audit.natural.examples, audit.natural.examples_sha256))
    for found in (audit.natural.adapted, audit.cohort.examples):
        if found is not None:
            name, digest = (
                ("file", "sha256") if "file" in found else ("examples", "examples_sha256")
            )
            named.append((found[name], found.get(digest, "")))
    for file, sha256 in named:
        try:
            right = not sha256 or digest_of_file(folder / file) == sha256
        except OSError:
            right = False
        if not right:
            raise InputError(
                f"{folder / file} is not the file that the audit wrote: use --force to run the audit "
                "again, or give another folder (--out)."
            )
