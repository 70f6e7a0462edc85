"""Columns of tables of images: those that were asked for, and those of well-known data sets."""

from collections.abc import Sequence
from dataclasses import dataclass

from straylight.errors import InputError, listed, quoted
from straylight.naming import folded

# What data sets call the columns of files and of labels; "" for one column each class.
KNOWN = {
    "HAM10000": ("image_id", "dx"),
    "NIH ChestX-ray14": ("Image Index", "Finding Labels"),
    "ISIC 2020": ("image_name", "benign_malignant"),
    "APTOS 2019": ("id_code", "diagnosis"),
    "ISIC": ("image", ""),
    "CheXpert": ("Path", ""),
}
FILE, LABEL = "file", "label"  # what `Reading` names if nothing else is said


@dataclass(frozen=True)
class Layout:
    """Which columns are read.

    Attributes:
        file: The place of the column of files.
        labels: The places of the column of labels, or of one for each class or finding.
        one_column: The first of `labels` holds them written out.
    """

    file: int
    labels: tuple[int, ...]
    one_column: bool


def find_layout(
    spec: str, head: Sequence[str], file: str, label: str, classes: Sequence[str]
) -> Layout | None:
    """Find the columns in the head of a table; None if they are not there.

    Args:
        spec: The table, as the user wrote it.
        head: The names of its columns.
        file, label: The columns that were asked for.
        classes: Without a column of labels: the columns of classes or findings (none: all others).

    Raises:
        InputError: If a column is there twice.
    """
    pairs = [(file, label)]
    if label == LABEL:
        pairs.append((file, ""))
    if (file, label) == (FILE, LABEL):
        pairs += KNOWN.values()
    elif file == FILE:
        pairs += [(known, label) for known, _ in KNOWN.values()]
    elif label == LABEL:
        pairs[1:1] = [(file, known) for _, known in KNOWN.values() if known]
    for column, written in pairs:
        place = find_column(spec, head, column)
        if place is None:
            continue
        if written:
            if (found := find_column(spec, head, written)) is not None:
                return Layout(place, (found,), one_column=True)
        elif classes:
            places = [find_column(spec, head, name) for name in classes]
            if None not in places:
                return Layout(place, tuple(p for p in places if p is not None), one_column=False)
        elif len(head) > 2:  # at least two classes
            others = tuple(number for number in range(len(head)) if number != place)
            return Layout(place, others, one_column=False)
    return None


def find_column(spec: str, head: Sequence[str], wanted: str) -> int | None:
    """Return the place of a column, also if it is written in another case or with blanks around it.

    Raises:
        InputError: If it is there twice.
    """
    for same in (lambda name: name == wanted, lambda name: folded(name) == folded(wanted)):
        places = [number for number, name in enumerate(head) if same(name)]
        if len(places) > 1:
            raise InputError(f"{spec} has the column {quoted(wanted)} twice: rename one of them.")
        if places:
            return places[0]
    return None


def unfit(spec: str, file: str, label: str, head: Sequence[str]) -> InputError:
    """Say what a table must have, what it has, and how other columns are named."""
    return InputError(
        f"{spec} must have the columns {quoted(file, 40)},{quoted(label, 40)} and at least one row. It has "
        f"{listed(head, 6)}. Other columns: --reading file=COLUMN,label=COLUMN, or, with one column for "
        "each class, file=COLUMN."
    )
