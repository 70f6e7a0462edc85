"""Damaged tar archives, and links in archives."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from image_folders import TINY_SHAPE, Files, write_picture
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError


def test_links_in_archives_are_named(tmp_path: Path) -> None:
    image = write_picture(tmp_path / "a.png")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(image, "A/a.png")
        archive.add(image, "B/a.png")
        for name, kind in (("A/b.png", tarfile.SYMTYPE), ("A/c.png", tarfile.LNKTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "A/a.png"
            archive.addfile(link)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.write(image, "A/a.png")
        packed.write(image, "B/a.png")
        for name in ("A/b.png", "A/c.png"):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o120777 << 16
            packed.writestr(entry, "a.png")
    for name in ("a.tar", "a.zip"):
        images = load_cohort(tmp_path / name, TINY_SHAPE).images
        assert [(s.file, s.reason) for s in images.skipped] == [
            ("A/b.png", "a link"),
            ("A/c.png", "a link"),
        ]


def encode_tar(files: Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return stream.getvalue()


@pytest.mark.parametrize("form", ["gz", "bz2", "xz"])
def test_a_damaged_compressed_tar_is_refused(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(0)
    noise = b"P5\n100 100\n255\n" + rng.integers(0, 256, 10_000, dtype=np.uint8).tobytes()
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[form]
    plain = encode_tar({f"{name}/1.pgm": noise for name in "ABC"})
    whole = pack(plain)
    path = tmp_path / f"a.tar.{form}"
    path.write_bytes(whole)
    assert load_cohort(path, TINY_SHAPE).counts()["A"] == 1
    for place in range(len(whole) // 10, len(whole), len(whole) // 9):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read as a zip or tar archive"):
            load_cohort(path, TINY_SHAPE)
    for wrong, reason in (
        (plain + encode_tar({"D/1.pgm": noise}), "data follows its end"),
        (plain[: 3 * (512 + 10240)], "truncated"),
    ):
        path.write_bytes(pack(wrong))
        with pytest.raises(InputError, match=reason):
            load_cohort(path, TINY_SHAPE)
    if form == "gz":
        path.write_bytes(whole + b"garbage")
        with pytest.raises(InputError, match="cannot be read"):
            load_cohort(path, TINY_SHAPE)
