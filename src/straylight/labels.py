"""Labels: from what files say of an image to the number of its class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from straylight.errors import InputError, listed, quoted
from straylight.multilabel import (
    BETWEEN,
    NO_FINDING,
    Findings,
    Labelled,
    Names,
    findings_of,
    one_each,
    parse,
)

MOST_CLASSES = 2**16  # where labels alone say how many there are


def number_names(labels: Sequence[str], class_names: Names | None, spec: str) -> Labelled:
    """Number labels that are written out: one class each, or findings with ``|`` between them.

    Raises:
        InputError: If a label is none of the classes, or contradicts itself.
    """
    findings = findings_of(class_names)
    if not findings or class_names is None or f"no {findings[0]}" in labels:
        index = label_index(labels, class_names, spec)
        return Labelled(tuple(index), {i: index[label] for i, label in enumerate(labels)}, {})
    found = [parse(label, spec) for label in labels]
    everything = Findings().union(*found)
    unknown = sorted(everything - set(findings))
    if class_names[0] == NO_FINDING and unknown:
        raise InputError(
            f"{spec} has the finding {listed(unknown)}, which the model does not know: its findings "
            f"are {listed(findings)}; leave such images out, or audit one finding."
        )
    if class_names[0] != NO_FINDING and findings[0] not in everything:
        raise InputError(
            f"{spec} has no image of {findings[0]}, only of {listed(unknown) or NO_FINDING}: write it "
            "as the model does."
        )
    return one_each(found, class_names, spec)


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
    labels = class_numbers(labels, spec)
    if columns is not None:
        class_names = check_same(list(columns), class_names, spec)
    if not np.issubdtype(labels.dtype, np.integer):
        return number_names(labels.tolist(), class_names, spec)
    names = list(class_names or numerals(int(labels.max())))
    if labels.min() < 0 or labels.max() >= len(names):
        raise InputError(f"{spec} has labels outside 0..{len(names) - 1}, the model's classes.")
    return Labelled(tuple(names), dict(enumerate(labels.tolist())), {})


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


def numerals(highest: int) -> list[str]:
    """Name classes by their numbers, but for more than `MOST_CLASSES`, which are no classes."""
    return list(map(str, range(min(highest, MOST_CLASSES - 1) + 1)))


def names_in(array: NDArray[Any], spec: str) -> list[str]:
    """Return an array of class names as texts."""
    names = list(map(str, array.ravel().tolist()))
    if array.dtype.kind != "U" or len(set(names)) < len(names):
        raise InputError(f"{spec} has class_names that are no texts, or one of them twice.")
    return names


def is_binary(labels: NDArray[Any]) -> bool:
    """Tell whether there are only zeros and ones."""
    return labels.dtype.kind in "biuf" and bool(np.isin(labels, (0, 1)).all())


def is_one_hot(labels: NDArray[Any]) -> bool:
    """Tell whether each row has one 1 among zeros."""
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
    if labels.dtype.kind not in "iuU":
        raise InputError(
            f"{spec} has labels of type {quoted(labels.dtype)}: give class numbers, names, one-hot rows, "
            "or 0 or 1 for each finding."
        )
    return labels.reshape(len(labels))


def check_same(found: list[str], class_names: Names | None, spec: str) -> Names:
    """Return the common class names, or say how they differ."""
    if class_names is not None and list(class_names) != found:
        raise InputError(
            f"{spec} has the classes {listed(found)}; the model has {listed(class_names)}."
        )
    return found


def label_index(labels: Sequence[str], class_names: Names | None, spec: str) -> dict[str, int]:
    """Number the classes: in the classifier's order if given, else sorted."""
    if class_names is None:
        several = next((label for label in labels if BETWEEN in label), None)
        if several is not None:
            raise InputError(
                f"{spec} has the label '{quoted(several)}': a classifier is trained on one label "
                "for each image."
            )
        return {name: number for number, name in enumerate(sorted(set(labels)))}
    unknown = sorted(set(labels) - set(class_names))
    if unknown:
        raise InputError(
            f"{spec} has the class {listed(unknown) or 'of no name'}, which the model does not know: "
            f"its classes are {listed(class_names)}."
        )
    return {name: number for number, name in enumerate(class_names)}
