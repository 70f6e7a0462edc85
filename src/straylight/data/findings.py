"""Findings: images with zero or more of them, and classifiers of findings.

The class of an image follows from its findings and the names of the classes. With the classes ``no F``,
``F`` it is F if F is among the findings. With ``no finding``, ``F``, ``G``, ... it is the only finding of
the image; an image with several is skipped, since the classifier predicts one class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from straylight.core.errors import InputError, join_names, quote_text

Names = Sequence[str]
Findings = frozenset[str]

ALL: Literal["all"] = "all"
NO_FINDING = "no finding"
BETWEEN = "|"


@dataclass(frozen=True)
class NumberedLabels:
    """Class numbers of images.

    Attributes:
        class_names: In the classifier's order.
        numbers: Class of each image, by the index of the image.
        skipped: Why the other images have no class, by the index of the image.
    """

    class_names: tuple[str, ...]
    numbers: dict[int, int]
    skipped: dict[int, str]


def choose_finding(
    finding: str, names: tuple[str, ...], n_outputs: int, spec: str
) -> tuple[int | Literal["all"], tuple[str, ...]]:
    """Return the outputs of a multi-label network to audit, and the resulting class names.

    >>> choose_finding("mass", ("effusion", "mass"), 2, "x.onnx")
    (1, ('no mass', 'mass'))
    >>> choose_finding("all", ("effusion", "mass"), 2, "x.onnx")
    ('all', ('no finding', 'effusion', 'mass'))

    Raises:
        InputError: If the names do not match the outputs or are ambiguous.
    """
    if n_outputs != len(names) or finding not in (*names, ALL):
        raise InputError(
            f"{spec} has {n_outputs} outputs: name them all with --classes, {finding} among them."
        )
    if finding != ALL:
        return names.index(finding), (f"no {finding}", finding)
    taken = [name for name in names if name.lower() in (ALL, NO_FINDING)]
    if taken:
        raise InputError(
            f"{spec} has an output '{quote_text(taken[0])}', so --finding all is ambiguous: choose one "
            "finding, or remove that output in your own function (python:MODULE:FUNCTION)."
        )
    return ALL, (NO_FINDING, *names)


def findings_of(class_names: Names | None) -> tuple[str, ...]:
    """Return the findings among class names; empty if the classes are not findings.

    >>> findings_of(("no mass", "mass")), findings_of(("no finding", "mass", "edema"))
    (('mass',), ('mass', 'edema'))
    >>> findings_of(("normal", "mass"))
    ()
    """
    first, *others = class_names or ("",)
    pair = len(others) == 1 and first == f"no {others[0]}"
    return tuple(others) if pair or first == NO_FINDING else ()


def parse_findings(label: str, spec: str) -> Findings:
    """Parse a list of findings; an empty list or ``No Finding`` gives none.

    >>> sorted(parse_findings("Cardiomegaly|Effusion", "labels.csv"))
    ['Cardiomegaly', 'Effusion']
    >>> sorted(parse_findings("No Finding", "labels.csv"))
    []
    """
    parts = Findings(part.strip() for part in label.split(BETWEEN)) - {""}
    none = Findings(part for part in parts if part.lower() == NO_FINDING)
    if none and parts != none:
        raise InputError(
            f"{spec} has the label '{quote_text(label)}', which has both a finding and no finding: "
            "correct it."
        )
    return parts - none


def number_findings(found: list[Findings], class_names: Names, spec: str) -> NumberedLabels:
    """Assign each image the class of its only known finding, or the first class if it has none."""
    numbers, skipped = {}, {}
    for index, findings in enumerate(found):
        known = [number for number, name in enumerate(class_names) if name in findings]
        if len(known) > 1:
            skipped[index] = "several findings: " + join_names(class_names[k] for k in known)
        else:
            numbers[index] = known[0] if known else 0
    if not numbers:
        raise InputError(f"every image of {spec} has several findings: audit one, --finding NAME.")
    return NumberedLabels(tuple(class_names), numbers, skipped)
