"""Values as a user of the Python API gives them: checked, and brought to their usual type."""

from numbers import Integral, Real

from straylight.errors import InputError, quoted

LARGEST = 2**62  # of whole numbers: seeds are counted up from


def real(value: object, name: str, example: str) -> float:
    """Return a number of any numeric type as a float.

    Raises:
        InputError: If it is not a number.

    >>> real(1, "eps", "0.1")
    1.0
    """
    try:
        if isinstance(value, Real) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    raise InputError(f"{name} must be a number, such as {example}, not {said(value)}.")


def whole(value: object, name: str, least: int = -LARGEST) -> int:
    """Return a whole number of any integer type.

    Raises:
        InputError: If it is not one, or is too small or too large.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name} must be a whole number, not {said(value)}.")
    found = int(value)
    if not least <= found <= LARGEST:
        bound = f"at least {least}" if found < least else "smaller"
        number = found if abs(found) < 10**30 else "a number of very many digits"
        raise InputError(f"{name} must be {bound}, not {number}.")
    return found


def words(value: object, name: str, example: str) -> tuple[str, ...]:
    """Return one or several words as a tuple.

    Raises:
        InputError: If they are not words.
    """
    items = (value,) if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise InputError(f"{name} must be words, such as {example}, not {said(value)}.")
    return tuple(items)


def said(value: object) -> str:
    """Write a wrong value with its type.

    >>> said("2%"), said(None), said(2)
    ("'2%'", 'None', '2 (int)')
    """
    try:
        text = quoted(repr(value), 40)
    except Exception:  # of a class of a user's own, or of very many digits
        text = "it"
    return text if value is None or isinstance(value, str) else f"{text} ({type(value).__name__})"
