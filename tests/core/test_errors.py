"""What users see of an error: one line, short, and nothing that a terminal would interpret."""

import errno
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from straylight.core.errors import escape_unprintable, join_names, quote_text, reason_of


@given(st.text(st.characters(exclude_characters="\\")))
def test_what_is_escaped_is_printable_and_can_be_read_back(text: str) -> None:
    shown = escape_unprintable(text)
    assert shown.isprintable()
    assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == text
    assert (shown == text) == text.isprintable()


@given(st.text(), st.integers(1, 30))
def test_a_quoted_text_begins_as_the_text_does(text: str, most: int) -> None:
    shown = quote_text(text, most)
    if len(text) <= most:
        assert shown == escape_unprintable(text)
    else:
        assert shown == escape_unprintable(text[: most - 1]) + "…"


@pytest.mark.parametrize(
    ("n", "said"), [(0, ""), (1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more")]
)
def test_names_beyond_the_first_are_counted(n: int, said: str) -> None:
    assert join_names(range(n), 3) == said


def test_the_reason_of_a_missing_file_is_the_systems_without_the_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="secret") as told:
        (tmp_path / "secret").read_bytes()
    assert reason_of(told.value) == os.strerror(errno.ENOENT)


def test_reasons_of_libraries_show_no_bytes_and_no_addresses() -> None:
    with pytest.raises(OSError, match="object at 0x") as told:
        Image.open(io.BytesIO(b"no image"))
    assert reason_of(told.value) == "cannot identify image file …"
    with pytest.raises(ValueError, match="b'") as other:
        int(b"\x1b[31m")
    assert reason_of(other.value) == "invalid literal for int() with base 10: …"
    assert reason_of(RuntimeError("\n\n  first.\nsecond")) == "first"
    assert reason_of(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_a_quoted_value_that_ends_in_b_is_not_bytes() -> None:
    sentence = "'b' is not of type 'number'"
    assert reason_of(ValueError(sentence)) == sentence
    assert reason_of(ValueError(r"chunk b'\x00x' of 'b'")) == "chunk … of 'b'"
