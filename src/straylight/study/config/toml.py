"""A TOML file whose faults are told with their line."""

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
from straylight.core.errors import InputError, quoted, reason_of

LARGEST = 2**19  # bytes of a study's file
LONGEST = 4096  # characters of a text, or items of a list or a table
LARGEST_NUMBER = 2**53
DEEPEST = 12
DOTTED = re.compile(r"""[\w"'-]++(?:\s*+\.\s*+[\w"'-]++)*+""")
MOST_PARTS = 64  # with dots between them
LONGEST_MESSAGE = 240
EFFORT = 2**20  # characters that are parsed to find where statements end
Place = tuple[str | int, ...]  # the keys, and the numbers in arrays, that lead to a value


class Document:
    """A TOML file with ``${NAME}`` in its texts filled in from its table ``variables``.

    Args:
        path: The file.
        variables: Values in the place of the file's own.

    Raises:
        InputError: If it cannot be read, is no TOML, or names a variable that it does not have.
    """

    def __init__(self, path: Path, variables: Mapping[str, str] | None = None) -> None:
        self.path = path
        try:
            self.text = read_bounded(path, LARGEST).decode("utf-8")
            check_keys(self.text)
            self.raw = tomllib.loads(self.text)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} cannot be read ({reason_of(error)}): give a TOML file."
            ) from error
        except RecursionError:
            raise InputError(
                f"{path} is nested too deeply: a study has {DEEPEST} levels."
            ) from None
        except ValueError as error:  # of TOML, or of a number with too many digits
            raise InputError(f"{path} is not TOML: {reason_of(error)}.") from error
        found = self.raw.get("variables", {})
        own = found if isinstance(found, dict) else {}
        for name in variables or {}:
            if name not in own:
                known = ", ".join(own) or "none"
                raise InputError(
                    f"{path} has no variable '{quoted(name)}' to set: it has {quoted(known)}."
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
        """Return the line of the statement that a value stands in, or of the table that lacks it."""
        while place:
            if found := line_of(self.text, place):
                return found
            place = place[:-1]
        return 1

    def fault(self, place: Place, message: str) -> InputError:
        """Make the refusal of a value."""
        name = quoted(".".join(map(str, (part for part in place if isinstance(part, str)))))
        said = quoted(message.rstrip("."), LONGEST_MESSAGE)
        return InputError(
            f"{self.path}, line {self.line(place)}: {name + ': ' * bool(name)}{said}."
        )

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """Tell the line of whatever is refused while the context is open."""
        try:
            yield
        except InputError as error:
            raise self.fault(place, str(error)) from error


def check_keys(text: str) -> None:
    """Check that no key has very many parts: the parser's time grows with their square.

    Raises:
        ValueError: If one has.
    """
    if any(found.group().count(".") > MOST_PARTS for found in DOTTED.finditer(text)):
        raise ValueError(f"a key has more than {MOST_PARTS} parts")


def line_of(text: str, place: Place) -> int | None:
    """Find the first line of the statement that a value stands in.

    It is the statement that ends the shortest run of statements from the top that has the value; the
    standard library's parser alone decides what a statement is.

    >>> line_of("a = 1\\n[b]\\n\\n# c\\nc = [\\n 1,\\n]\\n", ("b", "c"))
    5
    """
    lines = text.splitlines()
    ends = statements(text)

    def is_said(number: int) -> bool:
        return has(tomllib.loads("\n".join(lines[: ends[number]]) + "\n"), place)

    found = bisect_left(range(len(ends)), True, key=is_said)
    if found == len(ends):
        return None
    begin = ends[found - 1] if found else 0
    return next(n for n in range(begin, ends[found]) if lines[n].split("#")[0].strip()) + 1


@lru_cache(maxsize=1)
def statements(text: str) -> list[int]:
    """Return the lines after which a statement ends, up to one that takes long to parse."""
    lines, found, begin, effort = text.splitlines(), [], 0, EFFORT
    for end in range(1, len(lines) + 1):
        chunk = "\n".join(lines[begin:end]) + "\n"
        effort -= len(chunk)
        if effort < 0:
            break
        try:
            tomllib.loads(chunk)
        except ValueError:
            continue  # in the middle of a statement
        found.append(end)
        begin = end
    return found


def has(data: Any, place: Place) -> bool:  # noqa: ANN401
    """Return whether there is a value at a place."""
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
