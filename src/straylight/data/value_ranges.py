"""Value ranges: the stored values that became black and white, for one image and for a set."""

from collections.abc import Iterable
from typing import Any, NamedTuple

STORED = "as stored"
CHOSEN_WINDOW = "the chosen window"
OWN_WINDOW = "the file's window"
OWN_TABLE = "the file's table"
SPAN = "least to greatest"
UPPER_BITS = "colour, its upper 8 bits"
HOW = (STORED, CHOSEN_WINDOW, OWN_WINDOW, OWN_TABLE, SPAN, UPPER_BITS)


class ValueRange(NamedTuple):
    """The conversion of the values of an image to 8 bits.

    Attributes:
        how: One of `HOW`.
        darkest, lightest: The values that became 0 and 255.
    """

    how: str
    darkest: float
    lightest: float


EIGHT_BITS = ValueRange(STORED, 0.0, 255.0)


def summarise_ranges(ranges: Iterable[ValueRange]) -> tuple[dict[str, Any], ...]:
    """Summarise the ranges of many images in one row per method.

    >>> summarise_ranges([ValueRange(SPAN, 3, 90), ValueRange(SPAN, 1, 70)])
    ({'how': 'least to greatest', 'n': 2, 'darkest': [1, 3], 'lightest': [70, 90]},)
    """
    found: dict[str, list[ValueRange]] = {}
    for item in ranges:
        found.setdefault(item.how, []).append(item)
    return tuple(
        {
            "how": how,
            "n": len(found[how]),
            "darkest": [edge(item.darkest for item in found[how]) for edge in (min, max)],
            "lightest": [edge(item.lightest for item in found[how]) for edge in (min, max)],
        }
        for how in HOW
        if how in found
    )
