"""`audit.json`: an audit as a file, written whole and read with suspicion."""

import json
import re
from pathlib import Path

import jsonschema

from straylight.audit.results import Audit
from straylight.audit.schema import MOST_CLASSES, MOST_PERTURBATIONS, SCHEMA
from straylight.core.bounded_read import read_bounded
from straylight.core.checks import folder_of
from straylight.core.errors import InputError, reason_of
from straylight.core.files import write_text
from straylight.core.strict_json import misfit, parse_json

AUDIT_FILE = "audit.json"
LARGEST = 2**25  # bytes of audit.json: 200,000 files left out, or all targets among 100 classes
SPREAD_ROW = re.compile(r"\[\s+([0-9.,\s]*?)\s+\]")  # numbers alone, each on its own line


def save_audit(audit: Audit, folder: Path) -> None:
    """Write `audit.json`, whole or not at all, and nothing that could not be read again.

    Raises:
        InputError: If it cannot be written, or is not what can be read.
    """
    text = json.dumps(audit.to_json(), indent=1)
    rows = SPREAD_ROW.sub(lambda found: f"[{', '.join(found[1].split())}]".replace(",,", ","), text)
    try:
        if len(rows) >= LARGEST:
            raise ValueError(f"it has {len(rows):,} bytes, and at most {LARGEST:,} are read")
        Audit.from_json(parse_json(rows))
    except jsonschema.ValidationError as error:
        raise InputError(
            f"the audit cannot be written: it does not follow {SCHEMA} {misfit(error)}."
        ) from error
    except ValueError as error:
        raise InputError(f"the audit cannot be written: {reason_of(error)}.") from error
    write_text(folder / AUDIT_FILE, rows + "\n")


def check_room(
    n_perturbations: int,
    class_names: tuple[str, ...],
    n_images: int,
    *,
    points: int,
    skipped: tuple[tuple[str, str], ...],
) -> None:
    """Check, before an audit is begun, that its counts will fit into an `audit.json` that is read.

    Args:
        n_perturbations: Attacks and controls.
        class_names: Of the classifier.
        n_images: Of the cohort.
        points: Of the curve of each attack.
        skipped: Files that were left out, with their reasons.

    Raises:
        InputError: If not.
    """
    n, name = len(class_names), max(map(written, class_names))
    # A cell of a table is a digit, a comma and a blank; each image adds a third of a digit at most.
    one = 6 * n * n + 64 * n + n_images // 3 + 200 * points + 6 * name + 2**12
    files = sum(written(file) + written(reason) + 64 for file, reason in skipped)
    size = n_perturbations * one + 4 * sum(map(written, class_names)) + files + 2**16
    if n_perturbations > MOST_PERTURBATIONS or n > MOST_CLASSES or size > LARGEST:
        raise InputError(
            f"{n_perturbations:,} perturbations for {n:,} classes with {len(skipped):,} files left out do "
            f"not fit into one audit (at most {MOST_PERTURBATIONS:,} perturbations, {MOST_CLASSES:,} "
            f"classes, {LARGEST >> 20} MiB of counts): give fewer targets, methods or controls, or fewer "
            "classes."
        )


def written(text: str) -> int:
    """Count the characters of a text in a file of JSON."""
    return len(json.dumps(text))


def load_audit(folder: Path | str) -> Audit:
    """Read `audit.json` of an audit's folder.

    Raises:
        InputError: If it is missing, broken, or does not follow the schema.
    """
    folder = folder_of(folder, "folder", "give a folder that an audit wrote")
    path = folder / AUDIT_FILE
    try:
        data = parse_json(read_bounded(path, LARGEST).decode("utf-8"))
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
            f"{path} does not follow {SCHEMA} {misfit(error)}: run the audit again."
        ) from error
    except ValueError as error:
        raise InputError(
            f"{path} contradicts itself: {reason_of(error)}; run the audit again."
        ) from error
