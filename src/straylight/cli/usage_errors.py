"""A command line that cannot be understood, said in one sentence."""

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import TypeVar, get_type_hints

import tyro

from straylight.core.errors import InputError, listed, quoted

T = TypeVar("T")
BOX = re.compile("[|\u2500-\u257f]|[-+]{3,}")  # frames, as the library draws them
KINDS = {"INT": "a whole number", "FLOAT": "a number", "PATH": "a path"}


def in_one_sentence(name: str, kind: type, arguments: Sequence[str], read: Callable[[], T]) -> T:
    """Read a command's arguments; what cannot be understood is told in one sentence.

    Args:
        name: Of the command, as typed.
        kind: Its dataclass of options.
        arguments: What follows its name.
        read: Reads them, and prints and exits where it cannot.

    Raises:
        InputError: If an option is unknown, missing, or has a value of another kind.
    """
    if any(word in ("-h", "--help") or word.startswith("--tyro-") for word in arguments):
        return read()
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            return read()
    except SystemExit as end:
        if not end.code:
            sys.stdout.write(printed.getvalue())
            raise
    sentence = _unknown(name, kind, arguments) or _missing(name, kind, arguments)
    sentence = sentence or _wrong(printed.getvalue())
    raise InputError(f"{sentence} See straylight {name} --help.")


def suggestion(word: str, known: Sequence[str], prefix: str = "") -> str:
    """Return the known word that is most like a mistyped one, as part of a sentence.

    >>> suggestion("audti", ["audit", "demo"])
    ': perhaps you meant audit'
    """
    close = get_close_matches(word, known, 1)
    return f": perhaps you meant {prefix}{close[0]}" if close else ""


def _options(kind: type) -> Iterator[tuple[str, bool, bool]]:
    """Yield each option as typed, with whether it must be given, and whether it stands by its place."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        default = field.default
        if is_dataclass(default) and not isinstance(default, type):
            yield from ((option, False, place) for option, _, place in _options(type(default)))
            continue
        must = default is MISSING and field.default_factory is MISSING
        marks = getattr(hints[field.name], "__metadata__", ())
        by_place = tyro.conf.Positional[int].__metadata__[0] in marks  # type: ignore[attr-defined]
        yield field.name.replace("_", "-"), must, by_place


def _given(arguments: Sequence[str]) -> list[str]:
    """Return the names of the options that are given."""
    words = (word.partition("=")[0] for word in arguments if re.match("--[A-Za-z]", word))
    return [word.removeprefix("--").replace("_", "-") for word in words]


def _unknown(name: str, kind: type, arguments: Sequence[str]) -> str:
    """Name the first option that the command does not have, and the one that was probably meant."""
    known = [option for option, _, by_place in _options(kind) if not by_place]
    for option in _given(arguments):
        if option not in known:
            return f"{name} has no option --{quoted(option, 40)}{suggestion(option, known, '--')}."
    return ""


def _missing(name: str, kind: type, arguments: Sequence[str]) -> str:
    """Name the options that must be given and are not."""
    given = _given(arguments)
    needed = [
        option.upper() if by_place else f"--{option}"
        for option, must, by_place in _options(kind)
        if must and option not in given and not (by_place and arguments)
    ]
    return f"{name} needs {', '.join(needed)}." if needed else ""


def _wrong(printed: str) -> str:
    """Shorten what the library says of a value."""
    said = " ".join(BOX.sub(" ", printed).split())
    said = said.partition("For full helptext")[0]
    kind = re.search(
        r"Error parsing (--[\w-]+): .*?(--[\w-]+) ([A-Z]+(?: [A-Z]+\b)*|\{[^}]*\})", said
    )
    if kind and kind[1] == kind[2]:
        value = re.search(r"(?:base 10|to float): ('[^']*')|from \[('[^']*')\]", said)
        several = kind[3].split(" ")
        words = KINDS.get(kind[3], f"one of {kind[3]}")
        words = words if len(several) == 1 else f"{len(several)} numbers"
        which = next(filter(None, value.groups()), "") if value else ""
        return f"{kind[1]} must be {words}" + f", not {quoted(which, 40)}" * bool(which) + "."
    extra = re.search(r"Unrecognized options: (.*)", said)
    if extra:
        return f"{listed(extra[1].split(), 3)} cannot be placed: give each value after its option."
    first = said.partition("Argument helptext")[0]
    first = re.sub(r"^(Value error|Invalid choice|Missing argument|Parsing error) ", "", first)
    return quoted(first.strip().rstrip("."), 250) + "."
