"""Strict JSON: no NaN, no infinity, and nothing that cannot be written again."""

import json
import math
import re
from pathlib import Path
from typing import Any

from straylight.core.bounded_read import read_bounded, sha256_of
from straylight.core.errors import quote_text

LARGEST_JSON = 2**24  # bytes
# Escapes of control characters, except white space and those with a short form.
CONTROL = re.compile(r"\\u00(?:0[0-7bBeEfF]|1[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])")
RAW_CONTROL = re.compile(r"[\x7f-\x9f]")
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str) -> Any:  # noqa: ANN401
    """Parse JSON strictly, at little more than the cost of the standard library.

    Raises:
        ValueError: If it is not JSON, is nested too deeply, repeats a key, or has a number beyond the
            range of floats, a lone surrogate (Python accepts both and fails when it writes them) or
            control characters, which a terminal would interpret.
    """
    try:
        data = json.loads(
            text,
            parse_constant=_raise_bad_number,
            # Lambdas, since a test may wrap functions: these are called for each number and object.
            parse_float=lambda text: (
                found
                if math.isfinite(found := float(text))
                else _raise_bad_number("a number beyond the range of floats")
            ),
            object_pairs_hook=lambda pairs: (
                found if len(found := dict(pairs)) == len(pairs) else _raise_duplicate_key(pairs)
            ),
        )
        if SURROGATE.search(text):
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it has a lone surrogate") from None
    if any(_is_escape(text, found.start()) for found in CONTROL.finditer(text)) or (
        RAW_CONTROL.search(text) if not text.isascii() else "\x7f" in text
    ):
        raise ValueError("it has control characters")
    return data


def _raise_duplicate_key(pairs: list[tuple[str, Any]]) -> None:
    """Raise for an object that repeats a key: parsers differ in which value they keep."""
    seen: set[str] = set()
    twin = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    raise ValueError(f"it has the key '{quote_text(twin)}' twice")


def _is_escape(text: str, place: int) -> bool:
    """Return whether a backslash starts an escape and is not escaped itself."""
    before = text[max(0, place - 4096) : place]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


def _raise_bad_number(word: str) -> float:
    """Raise for a word that is not a JSON number."""
    raise ValueError(f"it has {word}, which is not a JSON number")


def seal_json(content: dict[str, Any]) -> str:
    """Format content as JSON that includes the digest of the content."""
    digest = sha256_of(json.dumps(content, indent=1).encode())
    return json.dumps(content | {"sha256": digest}, indent=1)


def parse_sealed_json(text: str) -> dict[str, Any]:
    """Parse the output of `seal_json`, which must be bit-identical.

    Raises:
        ValueError: If it differs.
    """
    data = parse_json(text)
    if not isinstance(data, dict) or "sha256" not in data:
        raise ValueError("it has no digest")
    content = {key: value for key, value in data.items() if key != "sha256"}
    if text != seal_json(content):
        raise ValueError("its content does not match its digest")
    return content


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read a small JSON file.

    Raises:
        OSError: If it cannot be read or is larger than `LARGEST_JSON`.
        ValueError: If it is not strict JSON (see `parse_json`).
    """
    return parse_json(read_bounded(path, LARGEST_JSON).decode("utf-8"))
