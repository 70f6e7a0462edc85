"""A TOML file whose errors name their line."""

import os
from pathlib import Path

import pytest

from straylight.core.errors import InputError
from straylight.study.config.grid import Grid
from straylight.study.config.toml import TomlDocument
from studies import TINY, check_refused, read_grid


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not TOML: .* line 3"):
        read_grid(tmp_path, "a = 1\nb = 2\nc = \n")
    with pytest.raises(InputError, match="cannot be read"):
        TomlDocument(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="has no variable 'rot' to set: it has root"):
        read_grid(tmp_path, TINY, rot="x")


def test_lines_of_long_values_are_those_where_they_begin(tmp_path: Path) -> None:
    text = (
        'a = """\n[b]\n"""\n\n# c = 1\n[b] # c\nc = [\n  1, # one\n  2,\n]\n[[d]]\n[[d]]\ne.f = 1\n'
    )
    (tmp_path / "a.toml").write_text(text)
    document = TomlDocument(tmp_path / "a.toml")
    places = [("a",), ("b",), ("b", "c"), ("b", "c", 1), ("d", 0), ("d", 1), ("d", 1, "e", "f")]
    assert [document.line(place) for place in places] == [1, 6, 7, 7, 11, 12, 13]
    assert document.line(("b", "missing")) == 6


TOMLS = {
    "deep-list": "a = " + "[" * 100_000 + "]" * 100_000,
    "deep-table": "a = " + "{a=" * 3_000 + "1" + "}" * 3_000,
    "deep-key": ".".join("a" * 50_000) + " = 1",
    "digits": "a = " + "9" * 9_000,
    "long": "a = '" + "x" * 10_000 + "'",
    "many": "a = [" + "1," * 9_000 + "]",
    "large": "a = 1\n" * 200_000,
    "broken": "a = [\n" + "[1],\n" * 20_000,
    "nul": "a = '\0'",
}


@pytest.mark.parametrize("name", TOMLS)
def test_a_hostile_study_is_refused_at_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(TOMLS[name])
    check_refused(lambda: Grid(TomlDocument(path)), path)


def test_variables_do_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(f"a = '{'${v}' * 900}'\n[variables]\nv = '{'x' * 4000}'\n")
    assert "with its variables it is longer" in check_refused(lambda: TomlDocument(path), path)


@pytest.mark.parametrize("kind", ["pipe", "zero", "folder"])
def test_a_study_that_is_not_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "study.toml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    check_refused(lambda: TomlDocument(path), path)
