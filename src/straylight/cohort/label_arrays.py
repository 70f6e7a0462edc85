"""Convert label arrays to class numbers: numbers, names, one-hot rows, or one column per finding."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from straylight.cohort.labels import (
    check_class_names,
    number_integers,
    number_names,
    numeric_class_names,
)
from straylight.cohort.numeric_labels import parse_label_numbers
from straylight.core.errors import InputError, join_names, quote_text
from straylight.data.findings import (
    NO_FINDING,
    Findings,
    Names,
    NumberedLabels,
    findings_of,
    number_findings,
)


def number_label_array(
    labels: NDArray[Any], columns: Names | None, class_names: Names | None, spec: str
) -> NumberedLabels:
    """Convert a label array to class numbers.

    Args:
        labels: Labels of shape (N,) or (N, columns).
        columns: Names of the classes or columns from the file.
        class_names: Class names of the classifier.
        spec: The source, as the user wrote it.

    Raises:
        InputError: If the labels are of another kind or do not match the classes.
    """
    found = _number_finding_columns(labels, columns, class_names, spec)
    if found is not None:
        return found
    one_hot = labels.ndim > 1 and labels.shape[1] > 1
    labels = _flatten_labels(labels, spec)
    if columns is not None:
        class_names = check_class_names(list(columns), class_names, spec)
    if labels.dtype.kind == "U":
        return number_names(labels.tolist(), class_names, spec)
    # NaN is a missing label.
    values = [None if math.isnan(value) else int(value) for value in labels.tolist()]
    if class_names is None:
        highest = max((value for value in values if value is not None), default=0)
        class_names = numeric_class_names(highest)
    elif columns is None and not one_hot and parse_label_numbers(class_names) is not None:
        # The class names are numbers themselves, perhaps in another order.
        return number_names(["" if v is None else str(v) for v in values], class_names, spec)
    return number_integers(values, class_names, spec)


def _number_finding_columns(
    labels: NDArray[Any], columns: Names | None, class_names: Names | None, spec: str
) -> NumberedLabels | None:
    """Convert one column per finding; None if the columns are classes, or there is only one."""
    findings = findings_of(class_names)
    if not findings or class_names is None or labels.ndim != 2 or labels.shape[1] == 1:
        return None
    n, together = labels.shape[1], class_names[0] == NO_FINDING
    if columns is None and n == len(findings) and together:
        columns = findings
    elif columns is None and n == len(class_names) and _is_one_hot(labels):
        return None
    if columns is not None and list(columns) == list(class_names):
        return None
    fits = columns is not None and n == len(columns) == len(set(columns))
    known = set(columns or ()) == set(findings) if together else findings[0] in (columns or ())
    if columns is None or not (fits and known and _is_binary(labels)):
        named = f" named {join_names(columns)}" if columns else " without names"
        raise InputError(
            f"{spec} has {n} columns of labels{named}; the model's findings are {join_names(findings)}: "
            "give 0 or 1 for each, and the column names in the array class_names."
        )
    found = [
        Findings(name for name, value in zip(columns, row, strict=True) if value)
        for row in labels.tolist()
    ]
    return number_findings(found, class_names, spec)


def class_names_from_array(array: NDArray[Any], spec: str) -> list[str]:
    """Return class names from an array of texts."""
    array = _decode_texts(array, spec) if array.dtype.kind == "S" else array
    names = list(map(str, array.ravel().tolist()))
    if array.dtype.kind != "U" or len(set(names)) < len(names):
        raise InputError(f"{spec} has class_names that are not texts, or has one of them twice.")
    return names


def _is_binary(labels: NDArray[Any]) -> bool:
    """Return whether labels are only zeros and ones."""
    return labels.dtype.kind in "biuf" and bool(np.isin(labels, (0, 1)).all())


def _is_one_hot(labels: NDArray[Any]) -> bool:
    """Return whether each row has one 1 among zeros."""
    return _is_binary(labels) and bool((labels.sum(1) == 1).all())


def _flatten_labels(labels: NDArray[Any], spec: str) -> NDArray[Any]:
    """Return one-dimensional labels: squeeze a single column, convert one-hot rows to numbers."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not _is_one_hot(labels):
            raise InputError(
                f"{spec} has labels of shape {labels.shape} that are not one-hot: images with several "
                "findings need a model of findings (--finding NAME, --finding all); else give one label "
                "per image."
            )
        numbers: NDArray[Any] = labels.argmax(1)
        return numbers
    if labels.size != len(labels):
        raise InputError(f"{spec} has labels of shape {labels.shape}: give one label per image.")
    labels = labels.reshape(len(labels))
    if labels.dtype.kind == "S":
        return _decode_texts(labels, spec)
    with np.errstate(invalid="ignore"):
        whole = labels.dtype.kind == "f" and bool((np.isnan(labels) | (labels % 1 == 0)).all())
    if labels.dtype.kind not in "biuU" and not whole:
        raise InputError(
            f"{spec} has labels of type {quote_text(labels.dtype)} that are not whole numbers: give class "
            "numbers, names, one-hot rows, or 0 or 1 for each finding."
        )
    return labels


def _decode_texts(texts: NDArray[Any], spec: str) -> NDArray[Any]:
    """Decode texts that are stored as UTF-8 bytes."""
    try:
        return np.char.decode(texts, "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{spec} has texts that are not UTF-8: save them as str.") from error
