"""An audit that is already in the output folder: reuse it, or finish what a kill left undone."""

from collections.abc import Callable
from pathlib import Path

import torch

from straylight.audit.files import AUDIT_FILE, UNFINISHED_FILE
from straylight.audit.results import Audit
from straylight.audit.storage import load_audit
from straylight.audit.unfinished import UnfinishedAudit
from straylight.core.bounded_read import sha256_of_file
from straylight.core.errors import InputError


def finish_audit(
    audit: Audit,
    folder: Path,
    finish: Callable[[Path], object] | None,
    unfinished: UnfinishedAudit | None = None,
) -> Audit:
    """Call `finish` when `audit.json` is written; the audit counts as unfinished until then."""
    if unfinished is not None:
        unfinished.record_audit()
    if finish is not None:
        finish(folder)
    if unfinished is not None:
        unfinished.close()
    return audit


def find_finished_audit(folder: Path, fingerprint: str, *, show_images: bool) -> Audit | None:
    """Return the finished audit in a folder, or None if there is none.

    Raises:
        InputError: If it has other settings, images or code, or its files have changed.
    """
    if not (folder / AUDIT_FILE).exists() or (folder / UNFINISHED_FILE).exists():
        return None
    audit = load_audit(folder)
    check_file_digests(audit, folder)
    same = audit.environment.fingerprint == fingerprint
    if not same or _has_examples(audit) != show_images:
        raise InputError(
            f"{folder} already holds an audit of other settings, images or code, or of another number of "
            f"threads (here {torch.get_num_threads()}): use --force to replace it, or give another folder "
            "(--out)."
        )
    return audit


def find_written_audit(unfinished: UnfinishedAudit, *, show_images: bool) -> Audit | None:
    """Return the audit that was written before its process was killed, if it is intact and as wanted."""
    folder = unfinished.folder
    if not unfinished.perturbations or not (folder / AUDIT_FILE).exists():
        return None
    try:
        audit = load_audit(folder)
        check_file_digests(audit, folder)
    except InputError:
        return None  # the audit is run again
    same = audit.environment.fingerprint == unfinished.fingerprint
    wanted = _has_examples(audit) == show_images
    return audit if same and wanted and unfinished.matches(audit) else None


def _has_examples(audit: Audit) -> bool:
    """Return whether an audit keeps images of its cohort for the report."""
    return audit.cohort.examples is not None


def check_file_digests(audit: Audit, folder: Path) -> None:
    """Check the digests of all files that an audit names.

    Raises:
        InputError: If a file is missing or is not the one that was written.
    """
    natural, adapted, examples = audit.natural, audit.natural.adapted, audit.cohort.examples
    named = [(item.file, item.sha256) for item in audit.perturbations]
    named.append((natural.examples, natural.examples_sha256))
    if adapted is not None:
        named.append((adapted.examples, adapted.examples_sha256))
    if examples is not None:
        named.append((examples.file, examples.sha256))
    for file, sha256 in named:
        try:
            intact = not sha256 or sha256_of_file(folder / file) == sha256
        except OSError:
            intact = False
        if not intact:
            raise InputError(
                f"{folder / file} is not the file that the audit wrote: use --force to run the audit "
                "again, or give another folder (--out)."
            )
