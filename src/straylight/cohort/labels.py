"""Convert labels from files to class numbers."""

from collections.abc import Iterable, Sequence

from straylight.cohort.numeric_labels import UNCERTAIN, is_missing_label, parse_label_numbers
from straylight.core.errors import InputError, join_names, quote_text
from straylight.data.class_names import find_case_twins, match_names, normalize_name, suggest_names
from straylight.data.findings import (
    BETWEEN,
    NO_FINDING,
    Findings,
    Names,
    NumberedLabels,
    findings_of,
    number_findings,
    parse_findings,
)

MOST_CLASSES = 2**16  # if their number follows from the labels alone


def number_names(labels: Sequence[str], class_names: Names | None, spec: str) -> NumberedLabels:
    """Convert text labels to class numbers: one class each, or findings with ``|`` between them.

    Names are matched as in `match_names`. Numbers that are not names index the classes.

    Raises:
        InputError: If a label is not one of the classes, or contradicts itself.
    """
    findings = findings_of(class_names)
    if class_names is not None and not match_names(set(labels) - {""}, class_names):
        given = {label for label in labels if not is_missing_label(label)}
        if given and (numbers := parse_label_numbers(given)) is not None:
            numbers = _numbers_to_places(numbers, class_names, spec)
            values = [None if is_missing_label(label) else numbers[label] for label in labels]
            return number_integers(values, class_names, spec)
    if not findings or class_names is None or _is_class_name(f"no {findings[0]}", labels):
        index = _number_single_labels(labels, class_names, spec)
        return NumberedLabels(
            tuple(class_names or _sort_names(normalize_name(label) for label in index)),
            {i: index[label] for i, label in enumerate(labels)},
            {},
        )
    read = {label: parse_findings(label, spec) for label in set(labels)}
    named = Findings().union(*read.values())
    known = match_names(named, findings)
    unknown = sorted(named - known.keys())
    if class_names[0] == NO_FINDING and unknown:
        raise InputError(
            f"{spec} has the finding {join_names(unknown)}, which the model does not know: its "
            f"findings are {join_names(findings)}{suggest_names(unknown, findings)}; remove such "
            "images, or audit a single finding."
        )
    if class_names[0] != NO_FINDING and not known:
        raise InputError(
            f"{spec} has no image with {quote_text(findings[0])}, only with "
            f"{join_names(unknown) or NO_FINDING}: use the model's "
            f"spelling{suggest_names(unknown, findings)}."
        )
    found = [Findings(known.get(name, name) for name in read[label]) for label in labels]
    return number_findings(found, class_names, spec)


def _numbers_to_places(numbers: dict[str, int], class_names: Names, spec: str) -> dict[str, int]:
    """Return the indices of classes whose names are numbers, or else the numbers themselves."""
    named = parse_label_numbers(class_names)
    if named is None:
        return numbers
    places = {named[name]: place for place, name in enumerate(class_names)}
    unknown = sorted(label for label, number in numbers.items() if number not in places)
    if unknown:
        raise InputError(
            f"{spec} has the class {join_names(unknown)}, which the model does not know: its classes are "
            f"{join_names(class_names)}."
        )
    return {label: places[number] for label, number in numbers.items()}


def _is_class_name(name: str, labels: Sequence[str]) -> bool:
    return bool(match_names(set(labels), [name]))


def number_integers(values: Sequence[int | None], class_names: Names, spec: str) -> NumberedLabels:
    """Convert integers to class numbers, or to the absence or presence of one finding.

    For a classifier of one finding, CheXpert's -1 (uncertain) and empty fields are skipped.

    Raises:
        InputError: If a number is not that of a class, or no image remains.
    """
    numbers: dict[int, int] = {}
    skipped: dict[int, str] = {}
    pair = len(findings_of(class_names)) == 1
    n = len(class_names)
    for index, value in enumerate(values):
        if value is None:
            skipped[index] = "its label is empty"
        elif value == UNCERTAIN and pair:
            skipped[index] = "uncertain (-1)"
        elif 0 <= value < n:
            numbers[index] = value
        else:
            one = " (do they count from 1?)" if value == n and 0 not in values else ""
            raise InputError(
                f"{spec} has labels outside 0..{n - 1}, the model's classes: {value}{one}."
            )
    if not numbers:
        raise InputError(f"{spec} has no image with a label: all are empty or uncertain.")
    return NumberedLabels(tuple(class_names), numbers, skipped)


def numeric_class_names(highest: int) -> list[str]:
    """Return the numbers up to `highest` as class names, at most `MOST_CLASSES`."""
    return list(map(str, range(min(highest, MOST_CLASSES - 1) + 1)))


def check_class_names(found: list[str], class_names: Names | None, spec: str) -> Names:
    """Check that class names match the model's, and return them in the model's spelling."""
    if class_names is None:
        return found
    same = match_names(found, class_names)
    if [same.get(name) for name in found] != list(class_names):
        raise InputError(
            f"{spec} has the classes {join_names(found)}; the model has {join_names(class_names)}."
        )
    return class_names


def _number_single_labels(
    labels: Sequence[str], class_names: Names | None, spec: str
) -> dict[str, int]:
    """Map labels to class numbers, in the classifier's order if given, else sorted."""
    if class_names is None:
        several = next((label for label in labels if BETWEEN in label), None)
        if several is not None:
            raise InputError(
                f"{spec} has the label '{quote_text(several)}': a classifier is trained on one label "
                "per image."
            )
        names = {label: normalize_name(label) for label in set(labels)}
        if (alike := find_case_twins(names.values())) is not None:
            raise InputError(
                f"{spec} has the classes {alike}, which differ only in upper and lower case: if they "
                "are the same class, use one spelling."
            )
        place = {name: number for number, name in enumerate(_sort_names(names.values()))}
        return {label: place[name] for label, name in names.items()}
    known = match_names(set(labels), class_names)
    unknown = sorted(set(labels) - known.keys())
    if unknown:
        raise InputError(
            f"{spec} has the class {join_names(unknown) or 'of no name'}, which the model does not know: "
            f"its classes are {join_names(class_names)}{suggest_names(unknown, class_names)}."
        )
    order = {name: number for number, name in enumerate(class_names)}
    return {label: order[name] for label, name in known.items()}


def _sort_names(names: Iterable[str]) -> list[str]:
    """Sort names; if all are whole numbers, sort them by value."""
    every = sorted(set(names))
    numbers = parse_label_numbers(every)
    return every if numbers is None else sorted(every, key=lambda name: (numbers[name], name))
