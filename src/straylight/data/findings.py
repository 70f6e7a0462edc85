"""Images with several findings, or none, and classifiers that say several.

What the findings of an image are to a classifier follows from the names of its classes: of ``no F``, ``F``
it is F if F is among them; of ``no finding``, ``F``, ``G``, ... it is the one finding of the image, and an
image with several is left out, since the classifier gives one answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from straylight.core.errors import InputError, listed, quoted

Names = Sequence[str]
Findings = frozenset[str]

ALL: Literal["all"] = "all"
NO_FINDING = "no finding"
BETWEEN = "|"


@dataclass(frozen=True)
class Labelled:
    """The classes of images.

    Attributes:
        class_names: In the classifier's order.
        numbers: For the index of each image: its class.
        left_out: For the index of each other image: why it has none.
    """

    class_names: tuple[str, ...]
    numbers: dict[int, int]
    left_out: dict[int, str]


def choose_finding(
    finding: str, names: tuple[str, ...], n_outputs: int, spec: str
) -> tuple[int | Literal["all"], tuple[str, ...]]:
    """Return which outputs of a network of findings are looked at, and the classes that this makes.

    >>> choose_finding("mass", ("effusion", "mass"), 2, "x.onnx")
    (1, ('no mass', 'mass'))
    >>> choose_finding("all", ("effusion", "mass"), 2, "x.onnx")
    ('all', ('no finding', 'effusion', 'mass'))

    Raises:
        InputError: If the names do not fit the outputs, or have another meaning already.
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
            f"{spec} has an output '{quoted(taken[0])}', so that --finding all has no one meaning: choose "
            "one finding, or leave that output away in a function of your own (python:MODULE:FUNCTION)."
        )
    return ALL, (NO_FINDING, *names)


def findings_of(class_names: Names | None) -> tuple[str, ...]:
    """Return the findings that a classifier of such classes knows; none if it is one of plain classes.

    >>> findings_of(("no mass", "mass")), findings_of(("no finding", "mass", "edema"))
    (('mass',), ('mass', 'edema'))
    >>> findings_of(("normal", "mass"))
    ()
    """
    first, *others = class_names or ("",)
    pair = len(others) == 1 and first == f"no {others[0]}"
    return tuple(others) if pair or first == NO_FINDING else ()


def parse(label: str, spec: str) -> Findings:
    """Read a list of findings; empty, or ``No Finding``: none.

    >>> sorted(parse("Cardiomegaly|Effusion", "labels.csv")), sorted(parse("No Finding", "labels.csv"))
    (['Cardiomegaly', 'Effusion'], [])
    """
    parts = Findings(part.strip() for part in label.split(BETWEEN)) - {""}
    none = Findings(part for part in parts if part.lower() == NO_FINDING)
    if none and parts != none:
        raise InputError(
            f"{spec} has the label '{quoted(label)}', which is a finding and none: mend it."
        )
    return parts - none


def one_each(found: list[Findings], class_names: Names, spec: str) -> Labelled:
    """Give each image its one finding that the classifier knows, or the first class for none."""
    numbers, left_out = {}, {}
    for index, findings in enumerate(found):
        known = [number for number, name in enumerate(class_names) if name in findings]
        if len(known) > 1:
            left_out[index] = "several findings: " + listed(class_names[k] for k in known)
        else:
            numbers[index] = known[0] if known else 0
    if not numbers:
        raise InputError(f"every image of {spec} has several findings: audit one, --finding NAME.")
    return Labelled(tuple(class_names), numbers, left_out)
