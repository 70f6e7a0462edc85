"""Check values that users of the Python API pass, and convert them to their usual type."""

import os
import unicodedata
from numbers import Integral, Real
from pathlib import Path

from straylight.core.errors import InputError, quote_text, reason_of

LARGEST = 2**62  # for whole numbers: seeds are counted up from them
LONGEST = 2**16  # characters of a recorded text


def check_number(value: object, name: str, example: str) -> float:
    """Check that a value is a number and return it as a float.

    Raises:
        InputError: If it is not a number.

    >>> check_number(1, "eps", "0.1")
    1.0
    """
    try:
        if isinstance(value, Real) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    raise InputError(f"{name} must be a number, such as {example}, not {describe_value(value)}.")


def check_integer(value: object, name: str, least: int = -LARGEST) -> int:
    """Check that a value is a whole number within bounds and return it as an int.

    Raises:
        InputError: If it is not a whole number, or too small or too large.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name} must be a whole number, not {describe_value(value)}.")
    found = int(value)
    if not least <= found <= LARGEST:
        bound = f"at least {least}" if found < least else "smaller"
        number = found if abs(found) < 10**30 else "a number with too many digits"
        raise InputError(f"{name} must be {bound}, not {number}.")
    return found


def check_words(value: object, name: str, example: str) -> tuple[str, ...]:
    """Check that a value is one word or several and return them as a tuple.

    Raises:
        InputError: If they are not words.
    """
    items = (value,) if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise InputError(f"{name} must be words, such as {example}, not {describe_value(value)}.")
    return tuple(items)


def check_text(value: object, name: str, longest: int = LONGEST) -> str:
    """Check that a text is bounded and has no control characters except white space, and return it.

    Raises:
        InputError: If not.
    """
    if not isinstance(value, str):
        raise InputError(f"{name} must be text, not {describe_value(value)}.")
    if len(value) > longest:
        raise InputError(f"{name} must have at most {longest:,} characters, not {len(value):,}.")
    if not is_plain_text(value.translate(dict.fromkeys(map(ord, "\t\n\r")))):
        raise InputError(
            f"{name} has control characters or lone surrogates: {quote_text(value)}. Give plain text."
        )
    return str(value)


def is_plain_text(value: str) -> bool:
    r"""Return whether a text is valid UTF-8 without control characters or line breaks.

    >>> is_plain_text("\u05d0 b"), is_plain_text("\x1b[1m"), is_plain_text("\udcff")
    (True, False, False)
    """
    return value.isprintable() or not any(
        unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value
    )


def check_folder(value: object, name: str = "out", remedy: str = "give another (--out)") -> Path:
    """Check that a value names a folder and return it as a path.

    Raises:
        InputError: If it is neither a path nor text.
    """
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise InputError(
            f"{name} must be a folder, such as 'audits/mine', not {describe_value(value)}."
        )
    try:
        os.lstat(value)
    except (FileNotFoundError, NotADirectoryError):
        pass  # it is created, or refused, later
    except (OSError, ValueError) as error:
        raise InputError(
            f"{quote_text(value)} cannot be a folder ({reason_of(error)}): {remedy}."
        ) from error
    try:
        return Path(value)
    except TypeError:  # a path of bytes
        raise InputError(
            f"{name} must be a folder, such as 'audits/mine', not {describe_value(value)}."
        ) from None


def check_type(value: object, name: str, kind: object, remedy: str) -> None:
    """Check that a value is an instance of one of our classes.

    Raises:
        InputError: If not; the message names the parameter and how to create such an object.
    """
    if not isinstance(value, kind):  # type: ignore[arg-type]
        raise InputError(f"{name} must be created by {remedy}, not {describe_value(value)}.")


def describe_value(value: object) -> str:
    """Format an invalid value with its type.

    >>> describe_value("2%"), describe_value(None), describe_value(2)
    ("'2%'", 'None', '2 (int)')
    """
    try:
        text = quote_text(repr(value), 40)
    except Exception:  # a class of the user, or too many digits
        text = "it"
    return text if value is None or isinstance(value, str) else f"{text} ({type(value).__name__})"
