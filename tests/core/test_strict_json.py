"""JSON is read as its standard says, and sealed content is read back as it was written."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from straylight.core.strict_json import parse_json, parse_sealed_json, read_json, seal_json

TEXTS = st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(VALUES)
def test_what_the_standard_library_wrote_is_read_back(value: Any) -> None:  # noqa: ANN401
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse_json(text) == value
    assert parse_sealed_json(seal_json({"v": value})) == {"v": value}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[NaN]", "it has NaN, which is not a JSON number"),
        ("-Infinity", "it has -Infinity, which"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"b": {"a": 1, "\\u0061": 2}}', "it has the key 'a' twice"),
        ('"\\\\\\u0007"', "it has control characters"),
        ('"\\udc00"', "it has a lone surrogate"),
    ],
)
def test_what_other_readers_take_in_another_way_is_refused(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_json(tmp_path / "a.json")


def test_sealed_content_is_known_bit_by_bit() -> None:
    sealed = seal_json({"a": 1, "b": [2]})
    for changed in (sealed + " ", sealed.replace(" ", "", 1), sealed.replace('"a"', '"c"')):
        with pytest.raises(ValueError, match="its content does not match its digest"):
            parse_sealed_json(changed)
    for text in ("[]", "{}", '"sha256"'):
        with pytest.raises(ValueError, match="it has no digest"):
            parse_sealed_json(text)


def test_json_is_read_as_its_standard_says() -> None:
    assert parse_json('{"a": "\\\\u0007 \\n \\u000a", "b": [1.5e3]}') == {
        "a": "\\u0007 \n \n",
        "b": [1500.0],
    }
    for text in (
        '{"a": 1, "a": 2}',
        '"\\u0007"',
        '"\\u009b"',
        '"\x7f"',
        '"\x9b"',
        '"\\ud800"',
        "1e999",
    ):
        with pytest.raises(ValueError, match="it "):
            parse_json(text)
    assert parse_sealed_json(seal_json({"a": 1})) == {"a": 1}
    with pytest.raises(ValueError, match="its content does not match its digest"):
        parse_sealed_json(seal_json({"a": 1}).replace("1", "2", 1))
