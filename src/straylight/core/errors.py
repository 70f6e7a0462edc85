"""The exception that users see, and how its message quotes untrusted text."""

import re
from collections.abc import Iterable

REPR_OF_BYTES = re.compile(r"""(?<!['"\w])b(['"])(\\.|(?!\1).)*\1""")
REPR_OF_OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-fA-F]+>")
# Bidi isolates: needed around names on a page, but visible on a terminal.
ISOLATES = dict.fromkeys((0x2068, 0x2069))


class InputError(ValueError):
    """An input from the user that cannot be used.

    The message is one sentence: what is wrong, where, and how to fix it. The command line prints it
    without a traceback and exits with code 2.
    """


def quote_text(text: object, most: int = 80) -> str:
    r"""Shorten and escape untrusted text, such as a name from a file, for use in a message.

    >>> quote_text("a\x1b[31m.png"), quote_text("x" * 99, 8)
    ('a\\x1b[31m.png', 'xxxxxxx…')
    """
    shown = str(text)
    shown = shown if len(shown) <= most else shown[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return escape_unprintable(shown)


def escape_unprintable(text: str) -> str:
    r"""Escape what a terminal would interpret or cannot show: controls, bidi marks, lone surrogates.

    >>> escape_unprintable("a\x1b[31m \u202eb \udcff")
    'a\\x1b[31m \\u202eb \\udcff'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def join_names(names: Iterable[object], most: int = 8) -> str:
    """Join names with commas, and count those beyond the first `most`.

    >>> join_names("abcd", 2)
    'a, b and 2 more'
    """
    every = [quote_text(name, 40) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def reason_of(error: BaseException) -> str:
    """Return the first line of a library's error message, shortened and without quoted bytes.

    >>> reason_of(ValueError("broken chunk b'\\\\x00x'\\nand more")), reason_of(MemoryError())
    ('broken chunk …', 'MemoryError')
    """
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    first = next(filter(None, map(str.strip, message.splitlines())), type(error).__name__)
    for pattern in (REPR_OF_BYTES, REPR_OF_OBJECT):
        first = pattern.sub("\N{HORIZONTAL ELLIPSIS}", first)
    return quote_text(first.rstrip("."), 120)
