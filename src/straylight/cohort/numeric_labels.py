"""Labels that are numbers, as tables and arrays write them."""

from collections.abc import Iterable

UNCERTAIN = -1  # CheXpert's
WORDS = {"true": 1, "false": 0}
LONGEST = 24  # characters of a number
NOTHING = frozenset({"", "nan", "none", "null", "na"})


def number_in(text: str) -> int | None:
    """Return the whole number that a text says, also as a float or a truth value; None if none.

    >>> number_in("1.0"), number_in(" -1"), number_in("True"), number_in("0.5"), number_in("mass")
    (1, -1, 1, None, None)
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


def is_nothing(text: str) -> bool:
    """Return whether a field says nothing: it is empty, or what programs write in its place."""
    return text.strip().lower() in NOTHING


def numbers_in(texts: Iterable[str]) -> dict[str, int] | None:
    """Return the number that each text says, or None if one of them says none."""
    found = {text: number_in(text) for text in set(texts)}
    numbers = {text: number for text, number in found.items() if number is not None}
    return numbers if len(numbers) == len(found) else None
