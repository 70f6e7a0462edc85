"""Usage errors of the command line, explained in one sentence."""

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import TypeVar, get_type_hints

import tyro

from straylight.core.errors import InputError, join_names, quote_text

T = TypeVar("T")
BOX = re.compile("[|\u2500-\u257f]|[-+]{3,}")  # frames that tyro draws
KINDS = {"INT": "a whole number", "FLOAT": "a number", "PATH": "a path"}


def explain_usage_errors(
    name: str, kind: type, arguments: Sequence[str], read: Callable[[], T]
) -> T:
    """Parse the arguments of a command; explain a usage error in one sentence.

    Args:
        name: The command, as typed.
        kind: The dataclass of its options.
        arguments: The words after its name.
        read: Parses them; on an error it prints and exits.

    Raises:
        InputError: If an option is unknown, missing, or has a value of the wrong type.
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
    sentence = (
        _explain_unknown_option(name, kind, arguments)
        or _explain_missing_options(name, kind, arguments)
        or _explain_wrong_value(printed.getvalue())
    )
    raise InputError(f"{sentence} See straylight {name} --help.")


def suggest_word(word: str, known: Sequence[str], prefix: str = "") -> str:
    """Return the known word closest to a mistyped one, as part of a sentence.

    >>> suggest_word("audti", ["audit", "demo"])
    ': perhaps you meant audit'
    """
    close = get_close_matches(word, known, 1)
    return f": perhaps you meant {prefix}{close[0]}" if close else ""


def _iterate_options(kind: type) -> Iterator[tuple[str, bool, bool]]:
    """Yield each option as typed, whether it is required, and whether it is positional."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        default = field.default
        if is_dataclass(default) and not isinstance(default, type):
            yield from (
                (option, False, place) for option, _, place in _iterate_options(type(default))
            )
            continue
        must = default is MISSING and field.default_factory is MISSING
        marks = getattr(hints[field.name], "__metadata__", ())
        by_place = tyro.conf.Positional[int].__metadata__[0] in marks  # type: ignore[attr-defined]
        yield field.name.replace("_", "-"), must, by_place


def _given_options(arguments: Sequence[str]) -> list[str]:
    """Return the names of the given options."""
    words = (word.partition("=")[0] for word in arguments if re.match("--[A-Za-z]", word))
    return [word.removeprefix("--").replace("_", "-") for word in words]


def _explain_unknown_option(name: str, kind: type, arguments: Sequence[str]) -> str:
    """Explain the first unknown option, with the closest known one; return nothing if all are known."""
    known = [option for option, _, by_place in _iterate_options(kind) if not by_place]
    for option in _given_options(arguments):
        if option not in known:
            return f"{name} has no option --{quote_text(option, 40)}{suggest_word(option, known, '--')}."
    return ""


def _explain_missing_options(name: str, kind: type, arguments: Sequence[str]) -> str:
    """Explain which required options are missing; return nothing if none is."""
    given = _given_options(arguments)
    needed = [
        option.upper() if by_place else f"--{option}"
        for option, must, by_place in _iterate_options(kind)
        if must and option not in given and not (by_place and arguments)
    ]
    return f"{name} needs {', '.join(needed)}." if needed else ""


def _explain_wrong_value(printed: str) -> str:
    """Shorten the error message of the tyro library."""
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
        return f"{kind[1]} must be {words}" + f", not {quote_text(which, 40)}" * bool(which) + "."
    extra = re.search(r"Unrecognized options: (.*)", said)
    if extra:
        return (
            f"{join_names(extra[1].split(), 3)} cannot be placed: give each value after its option."
        )
    first = said.partition("Argument helptext")[0]
    first = re.sub(r"^(Value error|Invalid choice|Missing argument|Parsing error) ", "", first)
    return quote_text(first.strip().rstrip("."), 250) + "."
