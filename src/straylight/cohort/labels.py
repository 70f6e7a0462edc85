"""Labels: from what files say of an image to the number of its class."""

from collections.abc import Iterable, Sequence

from straylight.cohort.numeric_labels import UNCERTAIN, is_nothing, numbers_in
from straylight.core.errors import InputError, listed, quoted
from straylight.data.class_names import check_distinct, match_names, suggest, tidy
from straylight.data.findings import (
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

    Names are matched as `match_names` does. Numbers that are no names count the classes.

    Raises:
        InputError: If a label is none of the classes, or contradicts itself.
    """
    findings = findings_of(class_names)
    if class_names is not None and not match_names(set(labels) - {""}, class_names):
        given = {label for label in labels if not is_nothing(label)}
        if given and (numbers := numbers_in(given)) is not None:
            numbers = _places(numbers, class_names, spec)
            values = [None if is_nothing(label) else numbers[label] for label in labels]
            return of_numbers(values, class_names, spec)
    if not findings or class_names is None or _is_class(f"no {findings[0]}", labels):
        index = label_index(labels, class_names, spec)
        return Labelled(
            tuple(class_names or sort_names(tidy(label) for label in index)),
            {i: index[label] for i, label in enumerate(labels)},
            {},
        )
    read = {label: parse(label, spec) for label in set(labels)}
    said = Findings().union(*read.values())
    known = match_names(said, findings)
    unknown = sorted(said - known.keys())
    if class_names[0] == NO_FINDING and unknown:
        raise InputError(
            f"{spec} has the finding {listed(unknown)}, which the model does not know: its findings "
            f"are {listed(findings)}{suggest(unknown, findings)}; leave such images out, or audit one "
            "finding."
        )
    if class_names[0] != NO_FINDING and not known:
        raise InputError(
            f"{spec} has no image of {quoted(findings[0])}, only of {listed(unknown) or NO_FINDING}: "
            f"write it as the model does{suggest(unknown, findings)}."
        )
    found = [Findings(known.get(name, name) for name in read[label]) for label in labels]
    return one_each(found, class_names, spec)


def _places(numbers: dict[str, int], class_names: Names, spec: str) -> dict[str, int]:
    """Return the places of the classes that numbers are the names of, or else the numbers."""
    named = numbers_in(class_names)
    if named is None:
        return numbers
    places = {named[name]: place for place, name in enumerate(class_names)}
    unknown = sorted(label for label, number in numbers.items() if number not in places)
    if unknown:
        raise InputError(
            f"{spec} has the class {listed(unknown)}, which the model does not know: its classes are "
            f"{listed(class_names)}."
        )
    return {label: places[number] for label, number in numbers.items()}


def _is_class(name: str, labels: Sequence[str]) -> bool:
    return bool(match_names(set(labels), [name]))


def of_numbers(values: Sequence[int | None], class_names: Names, spec: str) -> Labelled:
    """Take numbers as those of classes, or as the absence or presence of one finding.

    For a classifier of one finding, CheXpert's -1 (uncertain) and empty fields are left out.

    Raises:
        InputError: If a number is that of no class, or no image is left.
    """
    numbers: dict[int, int] = {}
    left_out: dict[int, str] = {}
    pair = len(findings_of(class_names)) == 1
    n = len(class_names)
    for index, value in enumerate(values):
        if value is None:
            left_out[index] = "its label is empty"
        elif value == UNCERTAIN and pair:
            left_out[index] = "uncertain (-1)"
        elif 0 <= value < n:
            numbers[index] = value
        else:
            one = " (do they count from 1?)" if value == n and 0 not in values else ""
            raise InputError(
                f"{spec} has labels outside 0..{n - 1}, the model's classes: {value}{one}."
            )
    if not numbers:
        raise InputError(f"{spec} has no image with a label that is not empty or uncertain.")
    return Labelled(tuple(class_names), numbers, left_out)


def numerals(highest: int) -> list[str]:
    """Name classes by their numbers, but for more than `MOST_CLASSES`, which are no classes."""
    return list(map(str, range(min(highest, MOST_CLASSES - 1) + 1)))


def check_same(found: list[str], class_names: Names | None, spec: str) -> Names:
    """Return the common class names as the model writes them, or say how they differ."""
    if class_names is None:
        return found
    same = match_names(found, class_names)
    if [same.get(name) for name in found] != list(class_names):
        raise InputError(
            f"{spec} has the classes {listed(found)}; the model has {listed(class_names)}."
        )
    return class_names


def label_index(labels: Sequence[str], class_names: Names | None, spec: str) -> dict[str, int]:
    """Number the labels by their classes: in the classifier's order if given, else sorted."""
    if class_names is None:
        several = next((label for label in labels if BETWEEN in label), None)
        if several is not None:
            raise InputError(
                f"{spec} has the label '{quoted(several)}': a classifier is trained on one label "
                "for each image."
            )
        names = {label: tidy(label) for label in set(labels)}
        if (alike := check_distinct(names.values())) is not None:
            raise InputError(
                f"{spec} has the classes {alike}, which differ in upper and lower case only: perhaps "
                "one was meant; write it in one way."
            )
        place = {name: number for number, name in enumerate(sort_names(names.values()))}
        return {label: place[name] for label, name in names.items()}
    known = match_names(set(labels), class_names)
    unknown = sorted(set(labels) - known.keys())
    if unknown:
        raise InputError(
            f"{spec} has the class {listed(unknown) or 'of no name'}, which the model does not know: "
            f"its classes are {listed(class_names)}{suggest(unknown, class_names)}."
        )
    order = {name: number for number, name in enumerate(class_names)}
    return {label: order[name] for label, name in known.items()}


def sort_names(names: Iterable[str]) -> list[str]:
    """Sort names, or, where all are whole numbers, by their values."""
    every = sorted(set(names))
    numbers = numbers_in(every)
    return every if numbers is None else sorted(every, key=lambda name: (numbers[name], name))
