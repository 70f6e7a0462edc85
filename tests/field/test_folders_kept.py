"""Data that a file says wrongly, or that a tool may not touch: refused, named, or left alone."""

import bz2
import gzip
import io
import lzma
import os
import re
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from straylight.cohort.load import Cohort, load_cohort
from straylight.cohort.one_hot import of_columns
from straylight.cohort.overlap import check_photographs
from straylight.cohort.splits import split_in
from straylight.core.errors import InputError, reason_of
from straylight.data.class_names import match_names
from straylight.data.images import ImageSet
from straylight.data.photographs import cache
from straylight.data.photographs.load import load_natural
from straylight.models.specification import plain_names

SHAPE = (3, 8, 8)
Files = dict[str, bytes]


def png(level: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (level, level, level)).save(stream, "PNG")
    return stream.getvalue()


def put(root: Path, files: Files) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def zipped(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, data in files:
            archive.writestr(name, data)
    return path


def tarred(files: Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return stream.getvalue()


def levels(images: ImageSet) -> list[int]:
    return [int(level) for level in images.pixels[:, 0, 0, 0]]


def test_the_cache_removes_no_folder_that_it_did_not_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "mine"))
    own = put(tmp_path / "mine", {"partial-results/thesis.txt": b"x"}) / "partial-results"
    scratch = own.parent / cache.SCRATCH
    scratch.mkdir()
    (scratch / "partial-link").symlink_to(own)
    for path in (own / "thesis.txt", own):
        os.utime(path, (1e9, 1e9))
    load_natural(put(tmp_path / "photos", {"a.png": png(7)}), SHAPE)
    assert (own / "thesis.txt").read_bytes() == b"x"
    assert (scratch / "partial-link").is_symlink()


@pytest.mark.parametrize("form", ["gz", "bz2", "xz"])
def test_a_damaged_compressed_tar_is_refused(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(0)
    noise = b"P5\n100 100\n255\n" + rng.integers(0, 256, 10_000, dtype=np.uint8).tobytes()
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[form]
    plain = tarred({f"{name}/1.pgm": noise for name in "ABC"})
    whole = pack(plain)
    path = tmp_path / f"a.tar.{form}"
    path.write_bytes(whole)
    assert load_cohort(path, SHAPE).counts()["A"] == 1
    for place in range(len(whole) // 10, len(whole), len(whole) // 9):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read as a zip or tar archive"):
            load_cohort(path, SHAPE)
    for wrong, reason in (
        (plain + tarred({"D/1.pgm": noise}), "something stands after its end"),
        (plain[: 3 * (512 + 10240)], "cut off"),
    ):
        path.write_bytes(pack(wrong))
        with pytest.raises(InputError, match=reason):
            load_cohort(path, SHAPE)
    if form == "gz":
        path.write_bytes(whole + b"garbage")
        with pytest.raises(InputError, match="cannot be read"):
            load_cohort(path, SHAPE)


@pytest.mark.parametrize("name", ["b\udcff", "a\nb", "a\x1bb", "a\u2028b"])
def test_class_names_that_no_file_keeps_are_refused(tmp_path: Path, name: str) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["a", name]))
    with pytest.raises(InputError, match="cannot be recorded: names of classes have at most 1000"):
        load_cohort(tmp_path / "a.npz", SHAPE)
    folder = put(tmp_path / "in", {"a/1.png": png(1), f"{name}/1.png": png(2)})
    with pytest.raises(InputError, match="cannot be recorded: names of classes have at most 1000"):
        load_cohort(folder, SHAPE)
    with pytest.raises(InputError, match="cannot be recorded: names of classes have at most 1000"):
        plain_names(["a", name])


def test_many_columns_are_matched_in_linear_time(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(50_000)]
    started = time.process_time()
    known = match_names(names, names)
    assert known == dict(zip(names, names, strict=True))
    words = ["0"] * len(names)
    words[7] = "1"
    told = of_columns(tmp_path, 2, words, names, None, known=known)
    assert told == ("class 7", "")
    assert time.process_time() - started < 2


def test_one_file_shown_in_two_ways_is_no_photograph(tmp_path: Path) -> None:
    values = np.linspace(1000, 3000, 64).reshape(8, 8).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    photos = put(tmp_path / "photos", {"x.png": stream.getvalue()})
    cohort = load_cohort(put(tmp_path / "in", {"A/y.png": stream.getvalue()}), SHAPE)
    for kept in (True, True, False):  # written to the cache, read from it, and without
        photographs = load_natural(photos, SHAPE, cache=kept)
        assert not photographs.digests() & cohort.images.digests()
        with pytest.raises(InputError, match=r"1 images of .* are in .* as well"):
            check_photographs(photographs, cohort.images.subset(torch.tensor([0])))


def table(root: Path, text: str, name: str = "t.csv") -> Cohort:
    put(root, {"a.png": png(10), "b.png": png(20), name: text.encode()})
    return load_cohort(root / name, SHAPE)


def test_rows_that_are_longer_than_the_head_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3: it has 3 fields, and the head 2"):
        table(tmp_path, "file,label\na.png,A\nb.png,left, upper\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "file,label\na.png,A,,\nb.png,B, \n,\n,\n"),
        ("t.csv", "file,label\na.png,A\nb.png,B\n   "),
        ("t.csv", "\ufeffsep=;\r\nfile;label\r\na.png;A\r\nb.png;B\r\n"),
        ("t.csv", "sep=,\nfile,label\na.png,A\nb.png,B\n"),
        ("t.tsv", "file\tlabel\na.png\tA\nb.png\tB\n"),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, name: str, text: str) -> None:
    cohort = table(tmp_path, text, name)
    assert (levels(cohort.images), cohort.counts()) == ([10, 20], {"A": 1, "B": 1})


def test_two_labels_of_one_file_through_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.png").symlink_to("a.png")
    with pytest.raises(InputError, match=r"line 3: c.png is the same file as a.png of line 2"):
        table(tmp_path, "file,label\na.png,A\nc.png,B\nb.png,B\n")


def test_a_name_twice_in_an_archive_is_named(tmp_path: Path) -> None:
    files = [("A/1.png", png(1)), ("B/1.png", png(2)), ("A/1.png", png(3)), ("./B//1.png", png(4))]
    cohort = load_cohort(zipped(tmp_path / "a.zip", files), SHAPE)
    assert levels(cohort.images) == [3, 4]
    again = "there again later, and that is read"
    assert [(s.file, s.reason) for s in cohort.images.skipped] == [
        ("A/1.png", again),
        ("B/1.png", again),
    ]


def test_archives_as_people_pack_them(tmp_path: Path) -> None:
    two = [("A/1.png", png(1)), ("B/1.png", png(2))]
    below = [(f"skin/{name}", data) for name, data in two]
    for number, files in enumerate(
        (
            [*below, ("README.txt", b"x")],
            [(name.replace("/", "\\"), data) for name, data in below],
            [("skin\\", b""), ("skin\\A\\", b""), *below],
        )
    ):
        cohort = load_cohort(zipped(tmp_path / f"{number}.zip", files), SHAPE)
        assert (levels(cohort.images), cohort.counts()) == ([1, 2], {"A": 1, "B": 1})
        assert not cohort.images.skipped
    one = load_cohort(zipped(tmp_path / "one.zip", two[:1]), SHAPE, ("A", "B"))
    assert one.counts() == {"A": 1, "B": 0}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TrainData", "ValData"),
        ("train", "holdout"),
        ("data_train", "data-hold-out"),
        ("training_images", "testimages"),
        ("Train Split", "dev"),
    ],
)
def test_parts_of_a_data_set_are_no_classes(tmp_path: Path, one: str, other: str) -> None:
    folder = put(tmp_path, {f"{one}/1.png": png(1), f"{other}/1.png": png(2)})
    with pytest.raises(InputError, match="parts of a data set and not classes"):
        load_cohort(folder, SHAPE)
    for name in ("restrained", "contest", "invalid", "latest", "device", "trainee"):
        assert split_in(name) is None


def test_arrays_that_are_no_images_have_their_own_sentence(tmp_path: Path) -> None:
    for array, reason in (
        (np.zeros((8, 8, 3), np.uint8), r"\(8, 8, 3\), which is one image in colour or many grey"),
        (np.zeros((2, 8, 8), bool), "has bool images: true and false are a mask and no image"),
        (np.zeros((2, 8, 8), np.int64), "has int64 images: which value is white is not known"),
    ):
        np.save(tmp_path / "one.npy", array)
        with pytest.raises(InputError, match=reason):
            load_natural(tmp_path / "one.npy", SHAPE)
    np.savez(tmp_path / "x.npz", images=np.full((2, 8, 8), 9, np.uint8), labels=[0, 1])
    (tmp_path / "x.npz").rename(tmp_path / "X.NPZ")
    assert levels(load_natural(tmp_path / "X.NPZ", SHAPE)) == [9, 9]
    assert levels(load_cohort(tmp_path / "X.NPZ", SHAPE).images) == [9, 9]
    said = reason_of(ValueError("malformed node: <ast.Tuple object at 0x7f1234567890>"))
    assert re.search("object at", said) is None


def test_texts_of_every_kind_in_parquet_are_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", "16")
    parquet = pytest.importorskip("pyarrow.parquet")
    put(tmp_path, {"a.png": png(10), "b.png": png(20)})
    columns = {"file": ["a.png", "b.png"], "label": ["A", "B"]}
    parquet.write_table(
        pa.table({name: pa.array(value, pa.string_view()) for name, value in columns.items()}),
        tmp_path / "t.parquet",
    )
    assert load_cohort(tmp_path / "t.parquet", SHAPE).counts() == {"A": 1, "B": 1}
