"""Labels in a table with one column per class or finding, as in ISIC and CheXpert."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from straylight.cohort.numeric_labels import UNCERTAIN, is_missing_label, parse_label_number
from straylight.core.errors import InputError, join_names, quote_text
from straylight.data.findings import BETWEEN, NO_FINDING, Names, findings_of

Label = tuple[str, str]  # the label, and the reason if there is none


def is_binary_row(words: Sequence[str]) -> bool:
    """Return whether a row has only zeros and ones."""
    return all(parse_label_number(word) in (0, 1) for word in words)


def label_from_columns(
    path: Path,
    number: int,
    words: Sequence[str],
    columns: Sequence[str],
    classes: Names | None,
    *,
    known: Mapping[str, str],
) -> Label:
    """Return the label of a row of zeros and ones.

    CheXpert's -1 (uncertain) skips the image. An empty field skips it if one finding is audited, and is
    ignored if all are. `known` maps the columns to the names of the model.

    Raises:
        InputError: If it has other values, or, without `classes`, not exactly one 1.
    """
    values = [None if is_missing_label(word) else parse_label_number(word) for word in words]
    for word, value, column in zip(words, values, columns, strict=True):
        if value not in (0, 1, UNCERTAIN) and not (value is None and is_missing_label(word)):
            raise InputError(
                f"{path}, line {number}: the column {quote_text(column)} has '{quote_text(word, 40)}': "
                "it must be 0 or 1 (or, for findings, -1 or empty)."
            )
    findings = findings_of(classes)
    positive = [known[column] for column, value in zip(columns, values, strict=True) if value == 1]
    unsure = [column for column, value in zip(columns, values, strict=True) if value == UNCERTAIN]
    if unsure:
        return "", f"uncertain (-1): {join_names(unsure)}"
    if len(findings) == 1 and values[0] is None:
        return "", f"{quote_text(columns[0])} is empty"
    if findings:
        return BETWEEN.join(positive) or NO_FINDING, ""
    if classes is None and len(positive) != 1:
        raise InputError(
            f"{path}, line {number}: {len(positive)} of the columns {join_names(columns)} are 1: a "
            "classifier is trained on one class per image."
        )
    if len(positive) > 1:
        return "", f"several classes: {join_names(positive)}"
    return (positive[0], "") if positive else ("", "none of the model's classes")
