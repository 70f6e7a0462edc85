"""The records in the folder of a cell, sealed by a digest, and the digests of a trained model's files."""

from pathlib import Path

from straylight.audit.schema import Json
from straylight.core.bounded_read import read_bounded
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.files import digest_files, write_text
from straylight.core.strict_json import parse_sealed_json, seal_json
from straylight.models.files import CARD_FILE, WEIGHTS
from straylight.study.run.cell import Cell
from straylight.study.run.index_columns import check_figures

CELLS, CELL_FILE, TRAINED_FILE = "cells", "cell.json", "trained.json"
LARGEST = 2**26  # bytes of a record


def read_cell_record(study: Path, id: str) -> Json:
    """Read the record of a finished cell.

    Raises:
        InputError: If it is missing or broken, belongs to another cell, or if its folder is a link.
    """
    folder = study / CELLS / id
    try:
        if folder.is_symlink():
            raise ValueError("its folder is a link")
        record = parse_sealed_json(read_bounded(folder / CELL_FILE, LARGEST).decode("utf-8"))
        _check_record(record, id)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder / CELL_FILE} is broken ({reason_of(error)}): delete its folder, and the study "
            "runs the cell again."
        ) from error
    return record


def _check_record(record: Json, id: str) -> None:
    """Check that a record belongs to a cell: its identity gives the id, and its figures are valid.

    Raises:
        ValueError: If it does not.
    """
    kind, identity, seconds = (record.get(key) for key in ("kind", "identity", "seconds"))
    if not isinstance(kind, str) or not isinstance(identity, dict) or record.get("id") != id:
        raise ValueError(f"it is the record of {quote_text(record.get('id'))}")
    if Cell(kind=kind, identity=identity).id != id:
        raise ValueError("its identity belongs to another cell")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e12:
        raise ValueError("its seconds are not a time")
    if not isinstance(record.get("figures"), dict):
        raise ValueError("it has no figures")
    check_figures(record["figures"])


def digest_model_files(folder: Path) -> Json:
    """Compute the digests of the files of a trained model."""
    return dict(digest_files([folder / CARD_FILE, folder / WEIGHTS]))


def record_trained_model(folder: Path) -> None:
    """Record the digests of a trained model in its cell, which is not finished yet."""
    write_text(folder / TRAINED_FILE, seal_json(digest_model_files(folder)))


def has_trained_model(folder: Path) -> bool:
    """Return whether a folder holds the model that was trained there, unchanged."""
    try:
        kept = parse_sealed_json(read_bounded(folder / TRAINED_FILE, LARGEST).decode("utf-8"))
        return kept == digest_model_files(folder)
    except (OSError, ValueError):
        return False


def find_trained_model(study: Path, id: str) -> Path:
    """Return the folder of a trained model, after a check that its files are unchanged.

    Raises:
        InputError: If they are not.
    """
    folder = study / CELLS / id
    figures = read_cell_record(study, id)["figures"]
    try:
        same = figures.get("files") == digest_model_files(folder)
    except OSError:
        same = False
    if not same:
        raise InputError(
            f"{folder} does not hold the model that was trained there ({CARD_FILE} or {WEIGHTS} has "
            "changed): delete the folder, and the study trains the model again."
        )
    return folder
