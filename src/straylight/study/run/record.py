"""What a cell leaves in its folder: sealed records, and the digests of a trained classifier's files."""

from pathlib import Path

from straylight.audit.schema import Json
from straylight.core.bounded_read import read_bounded
from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.files import digests, write_text
from straylight.core.strict_json import sealed, unsealed
from straylight.models.card import CARD_FILE, WEIGHTS
from straylight.study.run.cell import Cell
from straylight.study.run.figures import check_figures

CELLS, CELL_FILE, TRAINED_FILE = "cells", "cell.json", "trained.json"
LARGEST = 2**26  # bytes of a record


def read_record(study: Path, id: str) -> Json:
    """Read the record of a finished cell, in a folder of its own.

    Raises:
        InputError: If it is missing, broken, that of another cell, or reached through a link.
    """
    folder = study / CELLS / id
    try:
        if folder.is_symlink():
            raise ValueError("its folder is a link")
        record = unsealed(read_bounded(folder / CELL_FILE, LARGEST).decode("utf-8"))
        check_record(record, id)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder / CELL_FILE} is broken ({reason_of(error)}): delete its folder, and the study "
            "makes it again."
        ) from error
    return record


def check_record(record: Json, id: str) -> None:
    """Check that a record is that of a cell: its identity gives the id, its figures have their form.

    Raises:
        ValueError: If not.
    """
    kind, identity, seconds = (record.get(key) for key in ("kind", "identity", "seconds"))
    if not isinstance(kind, str) or not isinstance(identity, dict) or record.get("id") != id:
        raise ValueError(f"it is the record of {quoted(record.get('id'))}")
    if Cell(kind=kind, identity=identity).id != id:
        raise ValueError("its identity is that of another cell")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e12:
        raise ValueError("its seconds are not a time")
    if not isinstance(record.get("figures"), dict):
        raise ValueError("it has no figures")
    check_figures(record["figures"])


def digests_of_model(folder: Path) -> Json:
    """Compute the digests of the files of a trained classifier."""
    return dict(digests([folder / CARD_FILE, folder / WEIGHTS]))


def keep_trained(folder: Path) -> None:
    """Record the digests of a classifier whose training has ended, in a cell that has not."""
    write_text(folder / TRAINED_FILE, sealed(digests_of_model(folder)))


def is_trained(folder: Path) -> bool:
    """Report whether a folder holds the very classifier that was trained there."""
    try:
        kept = unsealed(read_bounded(folder / TRAINED_FILE, LARGEST).decode("utf-8"))
        return kept == digests_of_model(folder)
    except (OSError, ValueError):
        return False


def trained_folder(study: Path, id: str) -> Path:
    """Return the folder of a training, checked to hold the files that were written there.

    Raises:
        InputError: If it does not.
    """
    folder = study / CELLS / id
    figures = read_record(study, id)["figures"]
    try:
        same = figures.get("files") == digests_of_model(folder)
    except OSError:
        same = False
    if not same:
        raise InputError(
            f"{folder} does not hold the model that was trained there ({CARD_FILE} or {WEIGHTS} has "
            "changed): delete the folder, and the study trains it again."
        )
    return folder
