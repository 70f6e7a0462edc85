"""Texts that others wrote are escaped, bounded, and cannot turn the text around them."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from straylight.report.environment import LONGEST_TEXT, make_environment


def shown(tmp_path: Path, text: object) -> str:
    (tmp_path / "a.html").write_text("{{ text }}")
    return make_environment(tmp_path).get_template("a.html").render(text=text)


def test_texts_are_escaped_and_direction_marks_written_out(tmp_path: Path) -> None:
    assert shown(tmp_path, "<b>\u202ea\u05d0") == "&lt;b&gt;\\u202ea\u05d0"
    assert shown(tmp_path, 7) == "7"


def test_a_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    text = shown(tmp_path, "x" * (LONGEST_TEXT + 1234))
    assert text == "x" * LONGEST_TEXT + "\N{HORIZONTAL ELLIPSIS} (1,234 characters more)"


def test_an_undefined_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("{{ nothing }}")
    with pytest.raises(UndefinedError):
        make_environment(tmp_path).get_template("a.html").render()
