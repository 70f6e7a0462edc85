"""Columns of tables of images: those that were asked for, and those of well-known data sets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from straylight.core.errors import InputError, listed, quoted
from straylight.data.class_names import folded

# What data sets call the columns of files and of labels; "" for one column each class.
KNOWN = {
    "HAM10000": ("image_id", "dx"),
    "NIH ChestX-ray14": ("Image Index", "Finding Labels"),
    "ISIC 2020": ("image_name", "benign_malignant"),
    "APTOS 2019": ("id_code", "diagnosis"),
    "ISIC": ("image", ""),
    "CheXpert": ("Path", ""),
}
FEWEST = 2  # columns: with more, there are two classes beside the files
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
    head_names = _Head(spec, head)
    for column, written in pairs:
        place = head_names.find(column)
        if place is None:
            continue
        if written:
            if (found := head_names.find(written)) is not None:
                return Layout(place, (found,), one_column=True)
        elif classes:
            places = [head_names.find(name) for name in classes]
            if None not in places:
                return Layout(place, tuple(p for p in places if p is not None), one_column=False)
        elif len(head) > FEWEST:
            others = tuple(number for number in range(len(head)) if number != place)
            return Layout(place, others, one_column=False)
    return None


class _Head:
    """Finds columns by their names, also in another case or with blanks around them."""

    def __init__(self, spec: str, head: Sequence[str]) -> None:
        self.spec = spec
        self.exact: dict[str, list[int]] = defaultdict(list)
        self.alike: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(head):
            self.exact[name].append(number)
            self.alike[folded(name)].append(number)

    def find(self, wanted: str) -> int | None:
        """Return the place of a column.

        Raises:
            InputError: If it is there twice.
        """
        places = self.exact.get(wanted) or self.alike.get(folded(wanted)) or []
        if len(places) > 1:
            raise InputError(
                f"{self.spec} has the column {quoted(wanted)} twice: rename one of them."
            )
        return places[0] if places else None


def unfit(spec: str, file: str, label: str, head: Sequence[str]) -> InputError:
    """Say what a table must have, what it has, and how other columns are named."""
    return InputError(
        f"{spec} must have the columns {quoted(file, 40)},{quoted(label, 40)} and at least one row. It has "
        f"{listed(head, 6)}. Other columns: --reading file=COLUMN,label=COLUMN, or, with one column for "
        "each class, file=COLUMN."
    )
