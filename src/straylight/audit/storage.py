"""`audit.json`: written atomically, validated when it is read."""

import json
import re
from pathlib import Path

import jsonschema

from straylight.audit.files import AUDIT_FILE
from straylight.audit.results import Audit
from straylight.audit.schema import MOST_CLASSES, MOST_PERTURBATIONS, SCHEMA
from straylight.core.bounded_read import read_bounded
from straylight.core.checks import check_folder
from straylight.core.errors import InputError, reason_of
from straylight.core.files import write_text
from straylight.core.json_schema import format_schema_error
from straylight.core.strict_json import parse_json

# Bytes of audit.json: 200,000 skipped files, or all targets among 100 classes.
LARGEST_AUDIT = 2**25
_SPREAD_ROW = re.compile(r"\[\s+([0-9.,\s]*?)\s+\]")  # numbers alone, each on its own line


def save_audit(audit: Audit, folder: Path) -> None:
    """Write `audit.json` atomically, after a check that it can be read again.

    Raises:
        InputError: If it cannot be written, or could not be read again.
    """
    text = json.dumps(audit.to_json(), indent=1)
    rows = _SPREAD_ROW.sub(
        lambda found: f"[{', '.join(found[1].split())}]".replace(",,", ","), text
    )
    try:
        if len(rows) >= LARGEST_AUDIT:
            raise ValueError(f"it has {len(rows):,} bytes, and at most {LARGEST_AUDIT:,} are read")
        Audit.from_json(parse_json(rows))
    except jsonschema.ValidationError as error:
        raise InputError(
            f"the audit cannot be written: it does not follow {SCHEMA} {format_schema_error(error)}."
        ) from error
    except ValueError as error:
        raise InputError(f"the audit cannot be written: {reason_of(error)}.") from error
    write_text(folder / AUDIT_FILE, rows + "\n")


def check_audit_size(
    n_perturbations: int,
    class_names: tuple[str, ...],
    n_images: int,
    *,
    points: int,
    skipped: tuple[tuple[str, str], ...],
) -> None:
    """Check, before an audit starts, that its counts will fit into an `audit.json` that can be read.

    Args:
        n_perturbations: Attacks and controls.
        class_names: The classifier's.
        n_images: Number of images of the cohort.
        points: Points of the curve of each attack.
        skipped: Skipped files with their reasons.

    Raises:
        InputError: If they will not.
    """
    n, name = len(class_names), max(map(_json_length, class_names))
    # A cell of a table is a digit, a comma and a blank; each image adds a third of a digit at most.
    one = 6 * n * n + 64 * n + n_images // 3 + 200 * points + 6 * name + 2**12
    files = sum(_json_length(file) + _json_length(reason) + 64 for file, reason in skipped)
    size = n_perturbations * one + 4 * sum(map(_json_length, class_names)) + files + 2**16
    if n_perturbations > MOST_PERTURBATIONS or n > MOST_CLASSES or size > LARGEST_AUDIT:
        raise InputError(
            f"{n_perturbations:,} perturbations for {n:,} classes with {len(skipped):,} skipped files do "
            f"not fit into one audit (at most {MOST_PERTURBATIONS:,} perturbations, {MOST_CLASSES:,} "
            f"classes, {LARGEST_AUDIT >> 20} MiB of counts): give fewer targets, methods, controls "
            "or classes."
        )


def _json_length(text: str) -> int:
    """Return the number of characters of a text in JSON."""
    return len(json.dumps(text))


def load_audit(folder: Path | str) -> Audit:
    """Read `audit.json` in an audit's folder.

    Raises:
        InputError: If it is missing, broken, or does not follow the schema.
    """
    folder = check_folder(folder, "folder", "give a folder that an audit wrote")
    path = folder / AUDIT_FILE
    try:
        data = parse_json(read_bounded(path, LARGEST_AUDIT).decode("utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder} has no {AUDIT_FILE}: give a folder that an audit wrote."
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as JSON ({reason_of(error)}): run the audit again."
        ) from error
    try:
        return Audit.from_json(data)
    except jsonschema.ValidationError as error:
        raise InputError(
            f"{path} does not follow {SCHEMA} {format_schema_error(error)}: run the audit again."
        ) from error
    except ValueError as error:
        raise InputError(
            f"{path} contradicts itself: {reason_of(error)}; run the audit again."
        ) from error
