"""Folders and archives: the same files, the same images, and nothing unpacked."""

import io
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from image_folders import TINY_SHAPE, encode_grey_png, read_levels
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.errors import InputError
from straylight.data.files.discovery import find_image_files
from straylight.data.files.folder import Folder
from straylight.data.files.open_container import open_container
from straylight.data.photographs.load import load_natural

SHAPE = (3, 20, 24)
KINDS = ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"]


def pack(folder: Path, kind: str, *, within: str = "", backwards: bool = False) -> Path:
    """Write a folder's files into an archive, below the folder `within`."""
    path = folder.with_name(f"packed-{len(within)}.{kind}")
    files = sorted((f for f in folder.rglob("*") if f.is_file()), reverse=backwards)
    names = [within + f.relative_to(folder).as_posix() for f in files]
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file, name in zip(files, names, strict=True):
                archive.write(file, name)
    else:
        modes = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}
        with tarfile.open(path, modes[kind]) as archive:
            for file, name in zip(files, names, strict=True):
                archive.add(file, f"./{name}" if backwards else name)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("within", ["", "chest/"])
def test_archives_hold_the_same_cohort_as_their_folder(
    class_folders: Path, kind: str, within: str
) -> None:
    expected = load_cohort(class_folders, SHAPE)
    found = load_cohort(pack(class_folders, kind, within=within, backwards=True), SHAPE)
    assert found.images.sha256 == expected.images.sha256
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.class_names == expected.class_names


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_hold_the_same_photographs_for_a_seed(class_folders: Path, kind: str) -> None:
    expected = load_natural(class_folders, SHAPE, n=7, seed=3)
    assert load_natural(pack(class_folders, kind), SHAPE, n=7, seed=3).sha256 == expected.sha256


def test_a_manifest_may_name_files_in_an_archive(class_folders: Path) -> None:
    archive = pack(class_folders, "zip")
    names = find_image_files(Folder(class_folders), dicom=False).names
    rows = "".join(f"{name},{name.split('/')[0]}\n" for name in names)
    manifest = class_folders.parent / "labels.csv"
    manifest.write_text("path,dx\n" + rows)
    reading = Reading(file="path", label="dx", root=str(archive))
    found = load_cohort(manifest, SHAPE, reading=reading)
    assert found.images.sha256 == load_cohort(class_folders, SHAPE).images.sha256


def test_hidden_files_and_links_are_no_files(tmp_path: Path) -> None:
    image = io.BytesIO()
    Image.new("RGB", (4, 4)).save(image, "png")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("x/a.png", "x/._a.png", "__MACOSX/x/a.png", ".cache/b.png"):
            item = tarfile.TarInfo(name)
            item.size = len(image.getvalue())
            archive.addfile(item, io.BytesIO(image.getvalue()))
        link = tarfile.TarInfo("x/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with open_container(tmp_path / "a.tar") as opened:
        assert opened.names() == ["x/a.png"]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "._a.png").write_bytes(b"")
    assert Folder(tmp_path / "b").names() == []


def test_names_that_lead_out_of_an_archive_are_only_names(tmp_path: Path) -> None:
    image = io.BytesIO()
    Image.new("RGB", (4, 4)).save(image, "png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../evil/a.png", image.getvalue())
        archive.writestr("/abs/b.png", image.getvalue())
    before = sorted(tmp_path.parent.rglob("*.png"))
    load_natural(tmp_path / "a.zip", SHAPE)
    assert sorted(tmp_path.parent.rglob("*.png")) == before


def test_broken_archives_are_refused_and_broken_members_skipped(class_folders: Path) -> None:
    for name in ("a.zip", "a.tar", "a.tar.gz"):
        path = class_folders.parent / name
        path.write_bytes(b"no archive")
        with pytest.raises(InputError, match="cannot be read as a zip or tar archive"):
            load_natural(path, SHAPE)
    archive = pack(class_folders, "zip")
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        first = opened.infolist()[0]
    data[first.header_offset + 60 : first.header_offset + 90] = bytes(30)
    archive.write_bytes(data)
    found = load_cohort(archive, SHAPE)
    assert [item.file for item in found.images.skipped] == [first.filename]
    assert "Bad CRC-32" in found.images.skipped[0].reason
    assert len(found) == 23


def test_an_encrypted_member_is_skipped(class_folders: Path) -> None:
    archive = pack(class_folders, "zip")
    data = bytearray(archive.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1  # the flag that says so
    archive.write_bytes(data)
    skipped = load_cohort(archive, SHAPE).images.skipped
    assert len(skipped) == 1
    assert "encrypted" in skipped[0].reason


def write_zip(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, data in files:
            archive.writestr(name, data)
    return path


def test_a_name_twice_in_an_archive_is_named(tmp_path: Path) -> None:
    files = [
        ("A/1.png", encode_grey_png(1)),
        ("B/1.png", encode_grey_png(2)),
        ("A/1.png", encode_grey_png(3)),
        ("./B//1.png", encode_grey_png(4)),
    ]
    cohort = load_cohort(write_zip(tmp_path / "a.zip", files), TINY_SHAPE)
    assert read_levels(cohort.images) == [3, 4]
    again = "the archive has this name again later, and that file is read"
    assert [(s.file, s.reason) for s in cohort.images.skipped] == [
        ("A/1.png", again),
        ("B/1.png", again),
    ]


def test_archives_as_people_pack_them(tmp_path: Path) -> None:
    two = [("A/1.png", encode_grey_png(1)), ("B/1.png", encode_grey_png(2))]
    below = [(f"skin/{name}", data) for name, data in two]
    for number, files in enumerate(
        (
            [*below, ("README.txt", b"x")],
            [(name.replace("/", "\\"), data) for name, data in below],
            [("skin\\", b""), ("skin\\A\\", b""), *below],
        )
    ):
        cohort = load_cohort(write_zip(tmp_path / f"{number}.zip", files), TINY_SHAPE)
        assert (read_levels(cohort.images), cohort.counts()) == ([1, 2], {"A": 1, "B": 1})
        assert not cohort.images.skipped
    one = load_cohort(write_zip(tmp_path / "one.zip", two[:1]), TINY_SHAPE, ("A", "B"))
    assert one.counts() == {"A": 1, "B": 0}
