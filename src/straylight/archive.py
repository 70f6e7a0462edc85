"""`audit.json`: an audit as a file, written whole and read with suspicion."""

import json
import re
from pathlib import Path

import jsonschema

from straylight.bounded import read_bounded
from straylight.errors import InputError, reason_of
from straylight.files import write_text
from straylight.jsons import misfit, parse_json
from straylight.results import Audit
from straylight.schema import SCHEMA

AUDIT_FILE = "audit.json"
LARGEST = 2**25  # bytes of audit.json: 200,000 files left out, or all targets among 100 classes
SPREAD_ROW = re.compile(r"\[\s+([0-9.,\s]*?)\s+\]")  # numbers alone, each on its own line


def save_audit(audit: Audit, folder: Path) -> None:
    """Write `audit.json`, whole or not at all."""
    text = json.dumps(audit.to_json(), indent=1)
    rows = SPREAD_ROW.sub(lambda found: f"[{', '.join(found[1].split())}]".replace(",,", ","), text)
    write_text(folder / AUDIT_FILE, rows + "\n")


def load_audit(folder: Path) -> Audit:
    """Read `audit.json`.

    Raises:
        InputError: If it is missing, broken, or does not follow the schema.
    """
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
