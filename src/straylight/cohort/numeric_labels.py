"""Parse numeric labels of tables and arrays."""

from collections.abc import Iterable

UNCERTAIN = -1  # CheXpert's
WORDS = {"true": 1, "false": 0}
LONGEST = 24  # characters of a number
NOTHING = frozenset({"", "nan", "none", "null", "na"})


def parse_label_number(text: str) -> int | None:
    """Parse a text as a whole number, also written as a float or a boolean; None if it is not one.

    >>> [parse_label_number(text) for text in ("1.0", " -1", "True", "0.5", "mass")]
    [1, -1, 1, None, None]
    """
    word = text.strip().lower()
    if word in WORDS:
        return WORDS[word]
    if not 0 < len(word) <= LONGEST or not set(word) <= set("+-.0123456789e"):
        return None
    try:
        value = float(word)
    except ValueError:
        return None
    return int(value) if abs(value) < 2**31 and value == int(value) else None


def is_missing_label(text: str) -> bool:
    """Return whether a field is empty or a usual mark of a missing value."""
    return text.strip().lower() in NOTHING


def parse_label_numbers(texts: Iterable[str]) -> dict[str, int] | None:
    """Parse each text as a whole number; None if one of them is not."""
    found = {text: parse_label_number(text) for text in set(texts)}
    numbers = {text: number for text, number in found.items() if number is not None}
    return numbers if len(numbers) == len(found) else None
