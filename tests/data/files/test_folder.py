"""A folder as a container: its files are those of the file system."""

import os
from pathlib import Path

import pytest

from image_folders import write_files
from straylight.data.files.folder import Folder

FILES = {"a.png": b"12345", "deep/er/b.png": b"", "deep/ä.txt": bytes(1000)}


def test_files_are_those_of_the_file_system(tmp_path: Path) -> None:
    found = Folder(write_files(tmp_path / "x", {**FILES, ".hidden/c.png": b"1"}))
    assert found.spec == str(tmp_path / "x")
    assert found.names() == sorted(FILES)
    for name, data in FILES.items():
        assert found.has(name)
        assert found.size(name) == len(data)
        assert found.read(name) == data
        assert found.head(name, 3) == data[:3]
        assert found.on_disk(name).read_bytes() == data


@pytest.mark.parametrize("name", ["none.png", "deep", "a\0.png", "x" * 5000])
def test_what_is_no_file_is_not_there_and_cannot_be_read(tmp_path: Path, name: str) -> None:
    found = Folder(write_files(tmp_path / "x", FILES))
    assert not found.has(name)
    with pytest.raises(ValueError, match=r"^cannot be read: ") as told:
        found.head(name, 3)
    assert str(tmp_path) not in str(told.value)


def test_names_of_one_file_have_one_identity(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "x", FILES)
    os.link(folder / "a.png", folder / "hard.png")
    (folder / "soft.png").symlink_to("a.png")
    found = Folder(folder)
    same = {found.identity(name) for name in ("a.png", "hard.png", "soft.png")}
    assert len(same) == 1
    assert found.identity("deep/er/b.png") not in same
    assert found.identity("none.png") == "none.png"
    assert found.aliases == {"soft.png": "a.png"}
