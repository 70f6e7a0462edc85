"""JSON as the standard has it: no NaN, no infinity, and nothing that cannot be written again."""

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

from straylight.core.bounded_read import digest_of, read_bounded
from straylight.core.errors import quoted, reason_of

LARGEST_JSON = 2**24  # bytes
# Escapes of control characters, but for the white space and those that have a short form of their own.
CONTROL = re.compile(r"\\u00(?:0[0-7bBeEfF]|1[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])")
RAW_CONTROL = re.compile(r"[\x7f-\x9f]")
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
PATTERN_END = re.compile(r"(?<!\\)\$$")
MOST_FAULTS = 50  # that are looked at, for the one that says most
MOST_NODES, DEEPEST = 20_000, 32  # of data whose form is free


def parse_json(text: str) -> Any:  # noqa: ANN401
    """Parse JSON, at a cost of little more than the standard library's.

    Raises:
        ValueError: If it is not JSON, is nested too deeply, names a key twice, or holds a number beyond
            the floats or half a surrogate pair (Python would take both, and fail when it writes them),
            or control characters, which a terminal would obey.
    """
    try:
        data = json.loads(
            text,
            parse_constant=refuse,
            # Not functions, which a test may wrap: these are called for each number and object.
            parse_float=lambda text: (
                found
                if math.isfinite(found := float(text))
                else refuse("a number beyond all floats")
            ),
            object_pairs_hook=lambda pairs: (
                found if len(found := dict(pairs)) == len(pairs) else refuse_twin(pairs)
            ),
        )
        if SURROGATE.search(text):
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a surrogate pair") from None
    if any(is_escape(text, found.start()) for found in CONTROL.finditer(text)) or (
        RAW_CONTROL.search(text) if not text.isascii() else "\x7f" in text
    ):
        raise ValueError("it holds control characters")
    return data


def refuse_twin(pairs: list[tuple[str, Any]]) -> None:
    """Refuse an object that has a key twice: readers differ in which of the two they take."""
    seen: set[str] = set()
    twin = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    raise ValueError(f"it names '{quoted(twin)}' twice")


def is_escape(text: str, place: int) -> bool:
    """Report whether a backslash begins an escape, and is not escaped itself."""
    before = text[max(0, place - 4096) : place]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


def refuse(word: str) -> float:
    """Refuse a word that is no JSON."""
    raise ValueError(f"it holds {word}, which is not a number of JSON")


def sealed(content: dict[str, Any]) -> str:
    """Format content as JSON with the digest of all else that it says."""
    digest = digest_of(json.dumps(content, indent=1).encode())
    return json.dumps(content | {"sha256": digest}, indent=1)


def unsealed(text: str) -> dict[str, Any]:
    """Parse what `sealed` wrote, to the bit.

    Raises:
        ValueError: If it is anything else.
    """
    data = parse_json(text)
    if not isinstance(data, dict) or "sha256" not in data:
        raise ValueError("it has no digest")
    content = {key: value for key, value in data.items() if key != "sha256"}
    if text != sealed(content):
        raise ValueError("its content is not that of its digest")
    return content


def check_follows(data: Any, schema: dict[str, Any]) -> None:  # noqa: ANN401
    """Check that data follows a schema of ours, which a test has seen to be one.

    Whole numbers are those that are written so, and ``$`` is the end of a text, as in ECMAScript:
    Python's would let a line feed follow.

    Raises:
        jsonschema.ValidationError: If not.
    """
    errors = islice(strict_validator()(schema).iter_errors(data), MOST_FAULTS)
    error = best_match(errors)
    if error is not None:
        raise error


@cache
def strict_validator() -> Any:  # noqa: ANN401 (the library makes the class)
    """Return the validator of our schemas."""
    base: Any = jsonschema.Draft202012Validator
    make: Any = jsonschema.validators.extend
    return make(
        base,
        {
            "pattern": check_pattern,
            "maxLength": check_most,
            "maxItems": check_most,
            "items": check_items,
        },
        type_checker=base.TYPE_CHECKER.redefine("integer", is_whole),
    )


def is_whole(_: object, value: object) -> bool:
    """Report whether a value is a whole number and written as one."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_pattern(_: object, pattern: str, text: object, __: object) -> Iterator[Any]:
    """Yield the fault of a text that does not follow a pattern."""
    strict = PATTERN_END.sub(r"\\Z", pattern)
    if isinstance(text, str) and not re.search(strict, text):
        yield jsonschema.ValidationError(f"'{quoted(text)}' does not match {pattern}")


def check_most(_: object, most: int, value: object, __: object) -> Iterator[Any]:
    """Yield the fault of a text or a list that is too long, without a copy of it."""
    if isinstance(value, str | list) and len(value) > most:
        yield jsonschema.ValidationError(f"it has {len(value):,} characters or items, not {most:,}")


def check_items(validator: Any, form: Any, value: object, schema: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield the faults of the items of a list, unless it is too long to be looked through."""
    if not isinstance(value, list) or len(value) <= schema.get("maxItems", len(value)):
        base: Any = jsonschema.Draft202012Validator
        yield from base.VALIDATORS["items"](validator, form, value, schema)


def check_free_form(data: Any, where: tuple[str | int, ...]) -> None:  # noqa: ANN401
    """Check that data whose form is free are neither deep nor vast: a report shows them.

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


def misfit(error: jsonschema.ValidationError) -> str:
    """Format where data do not follow a schema, and why."""
    where = "/".join(map(str, error.absolute_path)) or "the top"
    return f"at {quoted(where)} ({reason_of(error)})"


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read a small JSON file.

    Raises:
        OSError: If it cannot be read, or is larger than `LARGEST_JSON`.
        ValueError: As `parse_json`.
    """
    return parse_json(read_bounded(path, LARGEST_JSON).decode("utf-8"))
