"""Labels in arrays: numbers, names, one-hot rows, or a column for each finding."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from straylight.cohort.labels import check_same, number_names, numerals, of_numbers
from straylight.cohort.numeric_labels import numbers_in
from straylight.core.errors import InputError, listed, quoted
from straylight.data.findings import NO_FINDING, Findings, Labelled, Names, findings_of, one_each


def number_array(
    labels: NDArray[Any], columns: Names | None, class_names: Names | None, spec: str
) -> Labelled:
    """Number labels of an array: numbers, names, one-hot rows, or one column for each finding.

    Args:
        labels: (N,) or (N, columns).
        columns: Names that the file has: of the classes, or of the columns.
        class_names: The classifier's.
        spec: Where they come from.

    Raises:
        InputError: If they are none of these, or do not fit the classes.
    """
    found = from_columns(labels, columns, class_names, spec)
    if found is not None:
        return found
    one_hot = labels.ndim > 1 and labels.shape[1] > 1
    labels = class_numbers(labels, spec)
    if columns is not None:
        class_names = check_same(list(columns), class_names, spec)
    if labels.dtype.kind == "U":
        return number_names(labels.tolist(), class_names, spec)
    # NaN says nothing.
    values = [None if math.isnan(value) else int(value) for value in labels.tolist()]
    if class_names is None:
        highest = max((value for value in values if value is not None), default=0)
        class_names = numerals(highest)
    elif columns is None and not one_hot and numbers_in(class_names) is not None:
        # The classes are called by numbers themselves, perhaps in another order.
        return number_names(["" if v is None else str(v) for v in values], class_names, spec)
    return of_numbers(values, class_names, spec)


def from_columns(
    labels: NDArray[Any], columns: Names | None, class_names: Names | None, spec: str
) -> Labelled | None:
    """Read one column for each finding; None if the columns are classes, or there is but one."""
    findings = findings_of(class_names)
    if not findings or class_names is None or labels.ndim != 2 or labels.shape[1] == 1:
        return None
    n, together = labels.shape[1], class_names[0] == NO_FINDING
    if columns is None and n == len(findings) and together:
        columns = findings
    elif columns is None and n == len(class_names) and is_one_hot(labels):
        return None
    if columns is not None and list(columns) == list(class_names):
        return None
    fits = columns is not None and n == len(columns) == len(set(columns))
    known = set(columns or ()) == set(findings) if together else findings[0] in (columns or ())
    if columns is None or not (fits and known and is_binary(labels)):
        named = f" named {listed(columns)}" if columns else " without names"
        raise InputError(
            f"{spec} has {n} columns of labels{named}; the model's findings are {listed(findings)}: "
            "give 0 or 1 for each, and the names of the columns in the array class_names."
        )
    found = [
        Findings(name for name, said in zip(columns, row, strict=True) if said)
        for row in labels.tolist()
    ]
    return one_each(found, class_names, spec)


def names_in(array: NDArray[Any], spec: str) -> list[str]:
    """Return an array of class names as texts."""
    array = _decoded(array, spec) if array.dtype.kind == "S" else array
    names = list(map(str, array.ravel().tolist()))
    if array.dtype.kind != "U" or len(set(names)) < len(names):
        raise InputError(f"{spec} has class_names that are no texts, or one of them twice.")
    return names


def is_binary(labels: NDArray[Any]) -> bool:
    """Return whether there are only zeros and ones."""
    return labels.dtype.kind in "biuf" and bool(np.isin(labels, (0, 1)).all())


def is_one_hot(labels: NDArray[Any]) -> bool:
    """Return whether each row has one 1 among zeros."""
    return is_binary(labels) and bool((labels.sum(1) == 1).all())


def class_numbers(labels: NDArray[Any], spec: str) -> NDArray[Any]:
    """Return labels of one dimension: columns are squeezed, one-hot rows become numbers."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not is_one_hot(labels):
            raise InputError(
                f"{spec} has labels of shape {labels.shape} that are not one-hot: images with several "
                "findings are for a model of findings (--finding NAME, --finding all); give one label "
                "for each image."
            )
        numbers: NDArray[Any] = labels.argmax(1)
        return numbers
    if labels.size != len(labels):
        raise InputError(
            f"{spec} has labels of shape {labels.shape}: give one label for each image."
        )
    labels = labels.reshape(len(labels))
    if labels.dtype.kind == "S":
        return _decoded(labels, spec)
    with np.errstate(invalid="ignore"):
        whole = labels.dtype.kind == "f" and bool((np.isnan(labels) | (labels % 1 == 0)).all())
    if labels.dtype.kind not in "biuU" and not whole:
        raise InputError(
            f"{spec} has labels of type {quoted(labels.dtype)} that are no whole numbers: give class "
            "numbers, names, one-hot rows, or 0 or 1 for each finding."
        )
    return labels


def _decoded(texts: NDArray[Any], spec: str) -> NDArray[Any]:
    """Return texts that were stored as bytes."""
    try:
        return np.char.decode(texts, "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{spec} has texts that are not UTF-8: save them as str.") from error
