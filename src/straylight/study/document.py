"""A TOML file whose faults are told with their line."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

from straylight.errors import InputError

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
            self.text = path.read_text(encoding="utf-8")
            self.raw = tomllib.loads(self.text)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read ({error}): give a TOML file.") from error
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path} is no TOML: {error}.") from error
        found = self.raw.get("variables", {})
        own = found if isinstance(found, dict) else {}
        for name in variables or {}:
            if name not in own:
                known = ", ".join(own) or "none"
                raise InputError(f"{path} has no variable {name!r} to set: it has {known}.")
        self.variables = own | dict(variables or {})
        self.data: dict[str, Any] = {
            key: value if key == "variables" else self._filled(value, (key,))
            for key, value in self.raw.items()
        }

    def _filled(self, value: Any, place: Place) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {key: self._filled(item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, (*place, number)) for number, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            return Template(value).substitute(self.variables)
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
        name = ".".join(map(str, (part for part in place if isinstance(part, str))))
        said = message.rstrip(".")
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


def line_of(text: str, place: Place) -> int | None:
    """Find the first line of the statement that a value stands in.

    It is the statement that ends the shortest run of lines from the top that is TOML and has the
    value, so that the standard library's parser alone decides what a statement is.

    >>> line_of("a = 1\\n[b]\\n\\n# c\\nc = [\\n 1,\\n]\\n", ("b", "c"))
    5
    """
    lines = text.splitlines()
    begin = 0
    for end in range(1, len(lines) + 1):
        try:
            data = tomllib.loads("\n".join(lines[:end]) + "\n")
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a statement
        if has(data, place):
            return next(n for n in range(begin, end) if lines[n].split("#")[0].strip()) + 1
        begin = end
    return None


def has(data: Any, place: Place) -> bool:  # noqa: ANN401
    """Tell whether there is a value at a place."""
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
