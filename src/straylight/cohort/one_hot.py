"""Labels in a table with one column for each class or finding: ISIC's and CheXpert's."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from straylight.cohort.numeric_labels import UNCERTAIN, is_nothing, number_in
from straylight.core.errors import InputError, listed, quoted
from straylight.data.findings import BETWEEN, NO_FINDING, Names, findings_of

Label = tuple[str, str]  # the label, and why there is none


def are_binary(words: Sequence[str]) -> bool:
    """Return whether a row holds zeros and ones alone."""
    return all(number_in(word) in (0, 1) for word in words)


def of_columns(
    path: Path,
    number: int,
    words: Sequence[str],
    columns: Sequence[str],
    classes: Names | None,
    *,
    known: Mapping[str, str],
) -> Label:
    """Return the label that a row of zeros and ones says.

    CheXpert's -1 (uncertain) leaves the image out. An empty field leaves it out where one finding is
    audited, and says nothing where all are. `known` says what the columns are called by the model.

    Raises:
        InputError: If it holds something else, or, without `classes`, if not one of the columns is 1.
    """
    values = [None if is_nothing(word) else number_in(word) for word in words]
    for word, value, column in zip(words, values, columns, strict=True):
        if value not in (0, 1, UNCERTAIN) and not (value is None and is_nothing(word)):
            raise InputError(
                f"{path}, line {number}: the column {quoted(column)} holds '{quoted(word, 40)}': it must "
                "be 0 or 1 (or, of findings, -1 or empty)."
            )
    findings = findings_of(classes)
    said = [known[column] for column, value in zip(columns, values, strict=True) if value == 1]
    unsure = [column for column, value in zip(columns, values, strict=True) if value == UNCERTAIN]
    if unsure:
        return "", f"uncertain (-1): {listed(unsure)}"
    if len(findings) == 1 and values[0] is None:
        return "", f"{quoted(columns[0])} is empty"
    if findings:
        return BETWEEN.join(said) or NO_FINDING, ""
    if classes is None and len(said) != 1:
        raise InputError(
            f"{path}, line {number}: {len(said)} of the columns {listed(columns)} are 1: a classifier is "
            "trained on one class for each image."
        )
    if len(said) > 1:
        return "", f"several classes: {listed(said)}"
    return (said[0], "") if said else ("", "none of the model's classes")
