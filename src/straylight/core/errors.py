"""The one exception that users meet, and how it quotes what others wrote."""

import re
from collections.abc import Iterable

REPR_OF_BYTES = re.compile(r"""\bb(['"])(\\.|(?!\1).)*\1""")
REPR_OF_OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-fA-F]+>")


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence: what is wrong, where, and what to do about it. The command line
    prints it without a traceback and ends with exit code 2.
    """


def quoted(text: object, most: int = 80) -> str:
    r"""Write a name out of a file so that it fits into a sentence, on any terminal.

    >>> quoted("a\x1b[31m.png"), quoted("x" * 99, 8)
    ('a\\x1b[31m.png', 'xxxxxxx…')
    """
    said = str(text)
    said = said if len(said) <= most else said[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return printable(said)


def printable(text: str) -> str:
    r"""Escape what a terminal would obey or cannot show: controls, turns of direction, half characters.

    >>> printable("a\x1b[31m \u202eb \udcff")
    'a\\x1b[31m \\u202eb \\udcff'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(names: Iterable[object], most: int = 8) -> str:
    """Write the first of many names.

    >>> listed("abcd", 2)
    'a, b and 2 more'
    """
    every = [quoted(name, 40) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def reason_of(error: BaseException) -> str:
    """Return the first line of what a library says, short, and without the bytes that it quotes.

    >>> reason_of(ValueError("broken chunk b'\\\\x00x'\\nand more")), reason_of(MemoryError())
    ('broken chunk …', 'MemoryError')
    """
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    first = next(filter(None, map(str.strip, said.splitlines())), type(error).__name__)
    for pattern in (REPR_OF_BYTES, REPR_OF_OBJECT):
        first = pattern.sub("\N{HORIZONTAL ELLIPSIS}", first)
    return quoted(first.rstrip("."), 120)
