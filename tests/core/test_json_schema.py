"""Schemas are checked more strictly than the library does, and long data is not searched."""

import time
from typing import Any

import jsonschema
import pytest

from straylight.core.json_schema import check_free_json, check_json_schema, format_schema_error

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 9},
        "items": {"type": "array", "maxItems": 3, "items": {"type": "number"}},
    },
}


@pytest.mark.parametrize("data", [{}, {"n": 3}, {"name": "abc"}, {"items": [1, 2.5]}])
def test_what_the_library_accepts_is_accepted(data: dict[str, Any]) -> None:
    jsonschema.validate(data, SCHEMA)
    check_json_schema(data, SCHEMA)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"n": 3.0}, "at n (3.0 is not of type 'integer')"),
        ({"name": "abc\n"}, r"at name ('abc\n' does not match ^[a-z]+$)"),
    ],
)
def test_what_the_library_lets_through_is_refused(data: dict[str, Any], said: str) -> None:
    jsonschema.validate(data, SCHEMA)
    with pytest.raises(jsonschema.ValidationError) as refused:
        check_json_schema(data, SCHEMA)
    assert format_schema_error(refused.value) == said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"n": True}, "at n (True is not of type 'integer')"),
        ({"name": "a" * 10}, "at name (it has 10 characters or items, not 9)"),
        ({"items": [1, "x"]}, "at items/1 ('x' is not of type 'number')"),
        ([], "at the top ([] is not of type 'object')"),
    ],
)
def test_what_the_library_refuses_is_refused(data: Any, said: str) -> None:  # noqa: ANN401
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA)
    with pytest.raises(jsonschema.ValidationError) as refused:
        check_json_schema(data, SCHEMA)
    assert format_schema_error(refused.value) == said


def test_items_beyond_the_limit_are_counted_and_not_searched() -> None:
    started = time.process_time()
    with pytest.raises(jsonschema.ValidationError) as refused:
        check_json_schema({"items": ["wrong"] * 1_000_000}, SCHEMA)
    assert time.process_time() - started < 1
    assert (
        format_schema_error(refused.value)
        == "at items (it has 1,000,000 characters or items, not 3)"
    )


def nested(levels: int) -> list[Any]:
    """Lists in a list: so many of them."""
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def test_free_data_has_bounds() -> None:
    for fine in (nested(32), [0] * 20_000, {"a": {"b": [1, "c", None]}}, "x" * 10**6):
        check_free_json(fine, ("card",))
    for wrong in (
        nested(33),
        [0] * 20_001,
        [[0] * 200] * 100,
        {str(k): [k] for k in range(10_001)},
    ):
        with pytest.raises(jsonschema.ValidationError) as refused:
            check_free_json(wrong, ("model", "card"))
        assert format_schema_error(refused.value) == "at model/card (it is too deep or too long)"
