"""Folders and archives are opened by their kind."""

from pathlib import Path

from straylight.data.files.open_container import is_container


def test_what_a_container_is(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"")
    (tmp_path / "A.ZIP").write_bytes(b"")
    assert is_container(tmp_path)
    assert is_container(tmp_path / "A.ZIP")
    assert not is_container(tmp_path / "a.npz")
    assert not is_container(tmp_path / "none.zip")
