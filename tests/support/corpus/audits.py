"""`audit.json`, broken in every field."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np

from corpus import Case, damaged

WRONG = [None, -1, 10**30, 1e308, "x" * 5_000, "\x1b[31m", [], {}, [[1]], True]
Path = tuple[str | int, ...]


def leaves(data: Any, path: Path = ()) -> Iterator[Path]:  # noqa: ANN401
    """Yield where values are, of a list only the first."""
    yield path
    children: list[tuple[str | int, Any]] = []
    if isinstance(data, dict):
        children = list(data.items())
    elif isinstance(data, list):
        children = list(enumerate(data[:1]))
    for key, value in children:
        yield from leaves(value, (*path, key))


def replaced(data: Any, path: Path, value: Any) -> Any:  # noqa: ANN401
    """Return a copy with another value at `path`."""
    if not path:
        return value
    found = deepcopy(data)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


def cases(rng: np.random.Generator) -> Iterator[Case]:
    from fixed_audit import fixed_audit

    good = json.loads(json.dumps(fixed_audit().to_json()))
    text = json.dumps(good).encode()
    yield from damaged("audits", "good.json", text, rng)
    for number, path in enumerate(leaves(good)):
        chosen = rng.choice(len(WRONG), 1)
        for index in chosen:
            name = f"audits/leaf{number}-{index}.json"
            yield Case(name, json.dumps(replaced(good, path, WRONG[index])).encode(), "any")
    for name, data in texts(text).items():
        yield Case(f"audits/text-{name}.json", data, "refused")


def texts(good: bytes) -> dict[str, bytes]:
    """No JSON, or more than a reader can follow."""
    deep = b'{"a":' * 90_000 + b"1" + b"}" * 90_000
    return {
        "empty": b"",
        "null": b"null",
        "list": b"[]",
        "deep": b"[" * 200_000,
        "deep-card": good.replace(b'"architecture": "<i>net</i>"', b'"a": ' + deep),
        "nan": good.replace(b'"seconds": 61.25', b'"seconds": NaN'),
        "infinite": good.replace(b'"seconds": 61.25', b'"seconds": 1e999'),
        "digits": good.replace(b'"seconds": 61.25', b'"seconds": ' + b"9" * 9_000),
        "surrogate": good.replace(b"data/skin.csv", b"\\ud800"),
        "escapes": good.replace(b"data/skin.csv", b"\\\\\\u001b[2J"),
        "utf16": good.decode().encode("utf-16"),
        "html": b"<html>",
    }
