"""Files beside images are known by their names, and no image is taken for one of them."""

import pytest
from PIL import Image

from straylight.data.files.non_images import is_companion, is_hidden


@pytest.mark.parametrize(
    "name",
    [
        *("THUMBS.DB", "a/b/Desktop.ini", "DICOMDIR", "Icon\r", "x/Readme", "LICENSE", "readme.MD"),
        *("labels.csv", "a/Labels.XLSX", "rows.parquet", "a.png.md5", "prepare.py", "notes.txt"),
    ],
)
def test_companions_are_known_in_any_case_and_folder(name: str) -> None:
    assert is_companion(name)


def test_no_suffix_that_pillow_opens_is_a_companions() -> None:
    Image.init()
    suffixes = [suffix for suffix, kind in Image.EXTENSION.items() if kind in Image.OPEN]
    assert len(suffixes) > 40
    for name in ("scan", "README", "thumbs.db", "a.csv", "labels"):
        assert not any(is_companion(f"chest/{name}{suffix}") for suffix in suffixes)


@pytest.mark.parametrize("name", ["1.2.840.10008", "scan.dcm", "4711", "license/1", "a.csv/1.png"])
def test_what_may_be_an_image_is_no_companion(name: str) -> None:
    assert not is_companion(name)


def test_hidden_folders_are_those_of_systems() -> None:
    hidden = (
        ".DS_Store",
        "._a.png",
        "__MACOSX",
        "@EADIR",
        "#recycle",
        "$RECYCLE.BIN",
        "lost+found",
    )
    assert all(map(is_hidden, hidden))
    assert not any(map(is_hidden, ("a.png", "MACOSX", "recycle", "eaDir", "_", "")))
