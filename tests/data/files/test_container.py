"""Files in folders and archives: never more is read than an image may have."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from straylight.data.files import container
from straylight.data.files.container import as_value_error
from straylight.data.files.folder import Folder
from straylight.data.photographs.load import load_natural

SHAPE = (3, 20, 24)


def test_files_that_are_too_large_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip bomb: 10 MB of zeros in 10 KB; not more than the limit is ever unpacked."""
    image = io.BytesIO()
    Image.new("RGB", (4, 4)).save(image, "png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(10_000_000))
        archive.writestr("good.png", image.getvalue())
    monkeypatch.setattr(container, "LARGEST", 2**20)
    found = load_natural(tmp_path / "a.zip", SHAPE)
    assert len(found) == 1
    assert [(s.file, s.reason) for s in found.skipped] == [("bomb.png", "larger than 1 MiB")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (zipfile.BadZipFile("Bad CRC-32 for file 'a.png'"), "cannot be read: Bad CRC-32 for file"),
        (FileNotFoundError(2, "No such file or directory", "/secret/a.png"), "No such file or dir"),
        (NotImplementedError("compression type 99"), "cannot be read: compression type 99"),
    ],
)
def test_any_error_of_a_reader_is_a_value_error_without_a_path(error: Exception, said: str) -> None:
    with pytest.raises(ValueError, match=said) as told, as_value_error():
        raise error
    assert "secret" not in str(told.value)


def test_a_file_of_the_largest_size_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "LARGEST", 2**20)
    for more in (0, 1):
        (tmp_path / f"{more}.png").write_bytes(bytes(2**20 + more))
    assert Folder(tmp_path).read("0.png") == bytes(2**20)
    with pytest.raises(ValueError, match="larger than 1 MiB"):
        Folder(tmp_path).read("1.png")
