"""Values as a user of the Python API gives them: checked, and brought to their usual type."""

import os
import unicodedata
from numbers import Integral, Real
from pathlib import Path

from straylight.core.errors import InputError, quoted, reason_of

LARGEST = 2**62  # of whole numbers: seeds are counted up from
LONGEST = 2**16  # characters of a text that is recorded


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


def text(value: object, name: str, longest: int = LONGEST) -> str:
    """Return a text that can be recorded: bounded, and without control characters but for white space.

    Raises:
        InputError: If it is something else.
    """
    if not isinstance(value, str):
        raise InputError(f"{name} must be text, not {said(value)}.")
    if len(value) > longest:
        raise InputError(f"{name} must have at most {longest:,} characters, not {len(value):,}.")
    if not can_be_written(value.translate(dict.fromkeys(map(ord, "\t\n\r")))):
        raise InputError(
            f"{name} holds control characters or half characters: {quoted(value)}. Give plain text."
        )
    return str(value)


def can_be_written(value: str) -> bool:
    r"""Report whether a text is UTF-8 without control characters or ends of lines.

    >>> can_be_written("\u05d0 b"), can_be_written("\x1b[1m"), can_be_written("\udcff")
    (True, False, False)
    """
    return value.isprintable() or not any(
        unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value
    )


def folder_of(value: object, name: str = "out", remedy: str = "give another (--out)") -> Path:
    """Return a folder that is given as a path or as text.

    Raises:
        InputError: If it is neither.
    """
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise InputError(f"{name} must be a folder, such as 'audits/mine', not {said(value)}.")
    try:
        os.lstat(value)
    except (FileNotFoundError, NotADirectoryError):
        pass  # it is made, or refused, later
    except (OSError, ValueError) as error:
        raise InputError(
            f"{quoted(value)} cannot be a folder ({reason_of(error)}): {remedy}."
        ) from error
    try:
        return Path(value)
    except TypeError:  # of a path of bytes
        raise InputError(
            f"{name} must be a folder, such as 'audits/mine', not {said(value)}."
        ) from None


def check_kind(value: object, name: str, kind: object, remedy: str) -> None:
    """Check that a value is an object of some class of ours.

    Raises:
        InputError: If not; the message names the parameter, and what makes such an object.
    """
    if not isinstance(value, kind):  # type: ignore[arg-type]
        raise InputError(f"{name} must be as made by {remedy}, not {said(value)}.")


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
