"""Archives of torch that are broken or claim too much."""

import struct
import zipfile
from pathlib import Path

import pytest
import torch

from straylight.core.errors import InputError
from straylight.models.load import load_model
from torchscript_models import SMALL_OPTIONS, Answers, scripted


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_case_12_a_member_that_is_not_needed_is_not_unpacked(here: Path) -> None:
    path = scripted(Answers(), here / "m.pt")
    expected = load_model(path, SMALL_OPTIONS).sha256
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/extra/bomb", bytes(2**27))
    assert load_model(path, SMALL_OPTIONS).sha256 == expected
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data/99", bytes(2**27))
    with pytest.raises(InputError, match=r"decompression bomb: m/data/99 would unpack to 128 MiB"):
        load_model(path, SMALL_OPTIONS)


def test_an_archive_that_claims_many_records_is_refused(here: Path) -> None:
    path = here / "m.pt"
    path.write_bytes(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 2**31, 0, 0))
    with pytest.raises(InputError, match="claims 65535 records"):
        load_model(path, SMALL_OPTIONS)


def test_a_file_that_was_cut_off_is_broken(here: Path) -> None:
    network = Answers().eval()
    torch.export.save(torch.export.export(network, (torch.rand(2, 3, 16, 16),)), here / "m.pt2")
    data = (here / "m.pt2").read_bytes()
    for part in range(1, 20):
        (here / "m.pt2").write_bytes(data[: len(data) * part // 20])
        with pytest.raises(InputError, match="is a broken archive"):
            load_model(here / "m.pt2", SMALL_OPTIONS)
