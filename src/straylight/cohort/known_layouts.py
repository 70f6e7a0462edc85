"""Find the columns of an image table: those requested, or those of well-known data sets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from straylight.core.errors import InputError, join_names, quote_text
from straylight.data.class_names import fold_case

# Names of the file and label columns; "" means one column per class.
KNOWN = {
    "HAM10000": ("image_id", "dx"),
    "NIH ChestX-ray14": ("Image Index", "Finding Labels"),
    "ISIC 2020": ("image_name", "benign_malignant"),
    "APTOS 2019": ("id_code", "diagnosis"),
    "ISIC": ("image", ""),
    "CheXpert": ("Path", ""),
}
FEWEST = 2  # columns; with more, there are at least two class columns
FILE, LABEL = "file", "label"  # the defaults of `Reading`


@dataclass(frozen=True)
class ColumnLayout:
    """Indices of the columns of a table to read.

    Attributes:
        file: Index of the file column.
        labels: Index of the label column, or of one column per class or finding.
        one_column: There is a single label column.
    """

    file: int
    labels: tuple[int, ...]
    one_column: bool


def find_layout(
    spec: str, head: Sequence[str], file: str, label: str, classes: Sequence[str]
) -> ColumnLayout | None:
    """Find the columns in the header of a table; None if they are missing.

    Args:
        spec: The table, as the user wrote it.
        head: Names of its columns.
        file, label: The requested columns.
        classes: Without a label column, the columns of classes or findings (empty: all others).

    Raises:
        InputError: If a column is duplicated.
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
    head_names = _ColumnFinder(spec, head)
    for column, written in pairs:
        place = head_names.find(column)
        if place is None:
            continue
        if written:
            if (found := head_names.find(written)) is not None:
                return ColumnLayout(place, (found,), one_column=True)
        elif classes:
            places = [head_names.find(name) for name in classes]
            if None not in places:
                return ColumnLayout(
                    place, tuple(p for p in places if p is not None), one_column=False
                )
        elif len(head) > FEWEST:
            others = tuple(number for number in range(len(head)) if number != place)
            return ColumnLayout(place, others, one_column=False)
    return None


class _ColumnFinder:
    """Finds columns by name, ignoring case and surrounding white space."""

    def __init__(self, spec: str, head: Sequence[str]) -> None:
        self.spec = spec
        self.exact: dict[str, list[int]] = defaultdict(list)
        self.alike: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(head):
            self.exact[name].append(number)
            self.alike[fold_case(name)].append(number)

    def find(self, wanted: str) -> int | None:
        """Return the index of a column, or None.

        Raises:
            InputError: If it is duplicated.
        """
        places = self.exact.get(wanted) or self.alike.get(fold_case(wanted)) or []
        if len(places) > 1:
            raise InputError(
                f"{self.spec} has the column {quote_text(wanted)} twice: rename one of them."
            )
        return places[0] if places else None


def missing_columns_error(spec: str, file: str, label: str, head: Sequence[str]) -> InputError:
    """Build the error for missing columns: what is required, what exists, and how to name others."""
    return InputError(
        f"{spec} must have the columns {quote_text(file, 40)},{quote_text(label, 40)} and at least one "
        f"row. It has {join_names(head, 6)}. For other columns give --reading "
        "file=COLUMN,label=COLUMN, or file=COLUMN if there is one column per class."
    )
