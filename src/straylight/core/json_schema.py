"""Strict JSON Schema validation: integers must be written as such; long items are not searched."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

from straylight.core.errors import quote_text, reason_of

PATTERN_END = re.compile(r"(?<!\\)\$$")
MOST_FAULTS = 50  # examined to find the most informative one
MOST_NODES, DEEPEST = 20_000, 32  # of free-form data


def check_json_schema(data: Any, schema: dict[str, Any]) -> None:  # noqa: ANN401
    """Check that data follows one of our schemas, which a test has validated.

    Integers must be written as such, and ``$`` matches only the end of a text, as in ECMAScript:
    in Python a line feed may follow.

    Raises:
        jsonschema.ValidationError: If not.
    """
    errors = islice(_strict_validator()(schema).iter_errors(data), MOST_FAULTS)
    error = best_match(errors)
    if error is not None:
        raise error


@cache
def _strict_validator() -> Any:  # noqa: ANN401 (the library makes the class)
    """Return the validator class for our schemas."""
    base: Any = jsonschema.Draft202012Validator
    make: Any = jsonschema.validators.extend
    return make(
        base,
        {
            "pattern": _check_pattern,
            "maxLength": _check_max_length,
            "maxItems": _check_max_length,
            "items": _check_items,
        },
        type_checker=base.TYPE_CHECKER.redefine("integer", _is_json_integer),
    )


def _is_json_integer(_: object, value: object) -> bool:
    """Return whether a value is written as an integer."""
    return isinstance(value, int) and not isinstance(value, bool)


def _check_pattern(_: object, pattern: str, text: object, __: object) -> Iterator[Any]:
    """Yield an error for a text that does not match a pattern."""
    strict = PATTERN_END.sub(r"\\Z", pattern)
    if isinstance(text, str) and not re.search(strict, text):
        yield jsonschema.ValidationError(f"'{quote_text(text)}' does not match {pattern}")


def _check_max_length(_: object, most: int, value: object, __: object) -> Iterator[Any]:
    """Yield an error for a text or list that is too long, without copying it."""
    if isinstance(value, str | list) and len(value) > most:
        yield jsonschema.ValidationError(f"it has {len(value):,} characters or items, not {most:,}")


def _check_items(validator: Any, form: Any, value: object, schema: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield the errors of the items of a list, unless it is too long to check."""
    if not isinstance(value, list) or len(value) <= schema.get("maxItems", len(value)):
        base: Any = jsonschema.Draft202012Validator
        yield from base.VALIDATORS["items"](validator, form, value, schema)


def check_free_json(data: Any, where: tuple[str | int, ...]) -> None:  # noqa: ANN401
    """Check that free-form data, which a report shows, is neither too deep nor too large.

    Raises:
        jsonschema.ValidationError: If not.
    """
    waiting, seen = [(data, 0)], 0
    while waiting:
        item, depth = waiting.pop()
        children = (
            item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        )
        seen += len(children)
        if depth > DEEPEST or seen > MOST_NODES:
            raise jsonschema.ValidationError("it is too deep or too long", path=where)
        waiting += [(child, depth + 1) for child in children]


def format_schema_error(error: jsonschema.ValidationError) -> str:
    """Format where and why data does not follow a schema."""
    where = "/".join(map(str, error.absolute_path)) or "the top"
    # The text of the error itself would contain all the data.
    return f"at {quote_text(where)} ({reason_of(ValueError(error.message))})"
