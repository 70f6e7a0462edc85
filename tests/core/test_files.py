"""Files are written whole or not at all, and what is being written is not swept away."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from full_disk import refusal_in_child, with_room
from straylight.core.array_files import write_array
from straylight.core.errors import InputError
from straylight.core.files import (
    digest_files,
    make_folder,
    make_inner_folder,
    remove_link,
    remove_partial_files,
    write_atomically,
    write_text,
)


def test_what_is_being_written_is_not_swept_away(tmp_path: Path) -> None:
    with write_atomically(tmp_path / "a.txt") as fresh:
        remove_partial_files(tmp_path)
        fresh.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    (tmp_path / ".b.txt.0123456789abcdef.partial").mkdir()
    (tmp_path / ".mine.partial").write_text("a file, and no folder of ours")
    for name in (".mydata.partial", ".b.0123456789abcdef.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("somebody's")
    remove_partial_files(tmp_path)
    kept = [".b.0123456789abcdef.partial", ".mine.partial", ".mydata.partial", "a.txt"]
    assert sorted(os.listdir(tmp_path)) == kept
    assert (tmp_path / ".mydata.partial" / "x").exists()


def test_a_failed_write_leaves_what_stood_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    said = refusal_in_child(
        lambda: with_room(10, lambda: write_array(tmp_path / "a", np.zeros(99))), tmp_path / "told"
    )
    assert "a cannot be written (File too large)" in said
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a", "told"]
    with pytest.raises(InputError, match="cannot be written to"):
        make_folder(tmp_path / "a" / "b")


def test_an_error_while_writing_leaves_what_stood_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")

    def fail() -> None:
        with write_atomically(tmp_path / "a") as fresh:
            fresh.write_text("half")
            raise RuntimeError("no such luck")

    with pytest.raises(RuntimeError, match="no such luck"):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "folder"
    victim.write_text("precious")
    folder.mkdir()
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(victim)
    (tmp_path / "inner").symlink_to(folder)
    write_text(tmp_path / "a", "é")
    assert (tmp_path / "a").read_bytes() == "é".encode()
    assert not (tmp_path / "a").is_symlink()
    for path in (tmp_path / "b", victim):
        remove_link(path)
    assert not (tmp_path / "b").is_symlink()
    assert victim.read_text() == "precious"
    with pytest.raises(InputError, match="inner is a link, and nothing is written through links"):
        make_inner_folder(tmp_path / "inner")
    with pytest.raises(InputError, match=r"victim cannot be created \(File exists\)"):
        make_inner_folder(victim)
    for _ in "ab":  # it may be there already
        make_inner_folder(tmp_path / "own")
    assert (tmp_path / "own").is_dir()


def test_digests_are_those_of_the_standard_library(tmp_path: Path) -> None:
    contents = {"a": b"", "b": bytes(10**6)}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    found = digest_files(tmp_path / name for name in contents)
    assert found == {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
