"""A TOML file whose errors name their line."""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

from straylight.core.bounded_read import read_bounded
from straylight.core.errors import InputError, quote_text, reason_of

LARGEST = 2**19  # bytes of a study's file
LONGEST = 4096  # characters of a text, or items of a list or a table
LARGEST_NUMBER = 2**53
DEEPEST = 12
DOTTED = re.compile(r"""[\w"'-]++(?:\s*+\.\s*+[\w"'-]++)*+""")
MOST_PARTS = 64  # of a dotted key
LONGEST_MESSAGE = 240
EFFORT = 2**20  # characters to parse in order to find where statements end
Place = tuple[str | int, ...]  # the path to a value: keys, and numbers in arrays


class TomlDocument:
    """A TOML file in whose texts ``${NAME}`` is replaced by the entry of its table ``variables``.

    Args:
        path: The file.
        variables: Values that replace those of the file.

    Raises:
        InputError: If it cannot be read, is not TOML, or if a variable is unknown.
    """

    def __init__(self, path: Path, variables: Mapping[str, str] | None = None) -> None:
        self.path = path
        try:
            self.text = read_bounded(path, LARGEST).decode("utf-8")
            _check_key_parts(self.text)
            self.raw = tomllib.loads(self.text)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} cannot be read ({reason_of(error)}): give a TOML file."
            ) from error
        except RecursionError:
            raise InputError(
                f"{path} is nested too deeply: a study has at most {DEEPEST} levels."
            ) from None
        except ValueError as error:  # not TOML, or a number with too many digits
            raise InputError(f"{path} is not TOML: {reason_of(error)}.") from error
        table = self.raw.get("variables", {})
        own = table if isinstance(table, dict) else {}
        for name in variables or {}:
            if name not in own:
                known = ", ".join(own) or "none"
                raise InputError(
                    f"{path} has no variable '{quote_text(name)}' to set: it has {quote_text(known)}."
                )
        self.variables = own | dict(variables or {})
        self.data: dict[str, Any] = {
            key: value if key == "variables" else self._filled(value, (key,))
            for key, value in self.raw.items()
        }

    def _filled(self, value: Any, place: Place) -> Any:  # noqa: ANN401
        if len(place) > DEEPEST:
            raise self.fault(place[:DEEPEST], f"it is nested in more than {DEEPEST} levels")
        if isinstance(value, dict | list | str) and len(value) > LONGEST:
            raise self.fault(place, f"it is longer than {LONGEST:,}")
        if isinstance(value, int | float) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            raise self.fault(place, "it must be a number of at most nine quadrillions")
        if isinstance(value, dict):
            return {key: self._filled(item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, (*place, number)) for number, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            filled = Template(value).substitute(self.variables)
            if len(filled) > LONGEST:
                raise self.fault(place, f"with its variables it is longer than {LONGEST:,}")
            return filled
        except InputError:
            raise
        except KeyError as error:
            raise self.fault(place, f"there is no variable {error} in [variables]") from None
        except ValueError:
            raise self.fault(place, "a $ that begins no ${NAME} is written $$") from None

    def line(self, place: Place) -> int:
        """Return the line of the statement that holds a value, or of the table that lacks it."""
        while place:
            if line := _find_line(self.text, place):
                return line
            place = place[:-1]
        return 1

    def fault(self, place: Place, message: str) -> InputError:
        """Return the error about a value, with its line."""
        name = quote_text(".".join(map(str, (part for part in place if isinstance(part, str)))))
        text = quote_text(message.rstrip("."), LONGEST_MESSAGE)
        return InputError(
            f"{self.path}, line {self.line(place)}: {name + ': ' * bool(name)}{text}."
        )

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """Add the line of a value to any `InputError` that is raised while the context is open."""
        try:
            yield
        except InputError as error:
            raise self.fault(place, str(error)) from error


def _check_key_parts(text: str) -> None:
    """Check that no key has too many parts: the time of the parser grows with their square.

    Raises:
        ValueError: If a key has more than `MOST_PARTS`.
    """
    if any(match.group().count(".") > MOST_PARTS for match in DOTTED.finditer(text)):
        raise ValueError(f"a key has more than {MOST_PARTS} parts")


def _find_line(text: str, place: Place) -> int | None:
    """Return the first line of the statement that holds a value.

    It is the last statement of the shortest run of statements from the top that has the value. The
    parser of the standard library decides what a statement is.

    >>> _find_line("a = 1\\n[b]\\n\\n# c\\nc = [\\n 1,\\n]\\n", ("b", "c"))
    5
    """
    lines = text.splitlines()
    ends = _find_statement_ends(text)

    def is_defined(number: int) -> bool:
        return _has_value(tomllib.loads("\n".join(lines[: ends[number]]) + "\n"), place)

    number = bisect_left(range(len(ends)), True, key=is_defined)
    if number == len(ends):
        return None
    begin = ends[number - 1] if number else 0
    return next(n for n in range(begin, ends[number]) if lines[n].split("#")[0].strip()) + 1


@lru_cache(maxsize=1)
def _find_statement_ends(text: str) -> list[int]:
    """Return the lines on which a statement ends, as far as `EFFORT` allows."""
    lines, ends, begin, effort = text.splitlines(), [], 0, EFFORT
    for end in range(1, len(lines) + 1):
        chunk = "\n".join(lines[begin:end]) + "\n"
        effort -= len(chunk)
        if effort < 0:
            break
        try:
            tomllib.loads(chunk)
        except ValueError:
            continue  # in the middle of a statement
        ends.append(end)
        begin = end
    return ends


def _has_value(data: Any, place: Place) -> bool:  # noqa: ANN401
    """Return whether there is a value at a place."""
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
