"""The cache of decoded photographs: the same images, whatever happens to it and beside it."""

import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from image_folders import TINY_SHAPE, encode_grey_png, write_files
from straylight.core.conventions import Shape
from straylight.core.errors import InputError
from straylight.data.files import selection
from straylight.data.files.selection import Selection
from straylight.data.images import ImageSet
from straylight.data.photographs import cache
from straylight.data.photographs.load import load_natural

SHAPE = (3, 8, 10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, in which files count as settled at once."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(selection, "SETTLED", -1e9)
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine photographs, and a broken file first, last and between them."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for number in range(9):
        pixels = rng.integers(0, 256, (12, 14, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / "deep" / f"holiday{number}.png")
    for name in ("aaa.jpg", "deep/holiday4b.png", "zzz.tif"):
        (tmp_path / "photos" / name).write_text(f"no image: {name}")
    return tmp_path / "photos"


def finished(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if (path / cache.INFO).is_file()]


def same(one: ImageSet, other: ImageSet) -> bool:
    return (one.sha256, one.skipped) == (other.sha256, other.skipped)


def refuse(*_: object) -> bytes:
    raise AssertionError("it need not be looked at")


def pack(photos: Path, kind: str) -> Path:
    path = photos.with_name(f"packed.{kind}")
    files = sorted((f for f in photos.rglob("*") if f.is_file()), reverse=True)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(photos))
    else:
        with tarfile.open(path, "w:gz") as archive:
            for file in files:
                archive.add(file, file.relative_to(photos))
    return path


def test_cold_and_warm_are_the_images_without_it(
    folder: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_natural(photos, SHAPE, cache=False)
    assert [item.file for item in expected.skipped] == ["aaa.jpg", "deep/holiday4b.png", "zzz.tif"]
    assert not folder.exists()
    cold = load_natural(photos, SHAPE)
    monkeypatch.setattr("straylight.data.files.folder.Folder.head", refuse)
    warm = load_natural(photos, SHAPE)
    for found in (cold, warm):
        assert same(found, expected)
        assert torch.equal(found.pixels, expected.pixels)
    (pixels,) = folder.glob("*/pixels.npy")
    assert np.array_equal(np.load(pixels), expected.pixels.numpy())


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_in_another_order_has_the_folders_cache(
    folder: Path, photos: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written backwards: the rows are not met in their order, and three of them are gaps."""
    found = load_natural(pack(photos, kind), SHAPE)
    assert same(found, load_natural(photos, SHAPE, cache=False))
    monkeypatch.setattr(Selection, "decode", refuse)
    assert same(load_natural(photos, SHAPE), found)
    assert len(finished(folder)) == 1


def test_content_counts_and_not_names_or_times(
    folder: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load_natural(photos, SHAPE)
    shutil.copytree(photos, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    (tmp_path / "elsewhere" / "deep" / "holiday8.png").rename(tmp_path / "elsewhere/deep/last.png")
    with monkeypatch.context() as patch:
        patch.setattr(Selection, "decode", refuse)
        assert load_natural(tmp_path / "elsewhere", SHAPE).sha256 == found.sha256
    # One other byte, and the size and the time as they were.
    file = photos / "deep" / "holiday3.png"
    before = file.stat()
    Image.new("RGB", (12, 14), (9, 8, 7)).save(other := io.BytesIO(), "png")
    file.write_bytes(other.getvalue().ljust(before.st_size, b"\0"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    changed = load_natural(photos, SHAPE)
    assert changed.pixels[3, :, 0, 0].tolist() == [9, 8, 7]
    assert same(changed, load_natural(photos, SHAPE, cache=False))


def test_shapes_and_draws_are_kept_apart(folder: Path, photos: Path) -> None:
    for shape, n in [(SHAPE, None), ((1, 8, 10), None), ((3, 4, 4), None), (SHAPE, 5)]:
        for _ in "ab":
            found = load_natural(photos, shape, n=n, seed=3)
            assert same(found, load_natural(photos, shape, n=n, seed=3, cache=False))
    assert len(finished(folder)) == 4


def test_a_file_that_changed_just_now_is_read_again(
    folder: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "SETTLED", 3600.0)
    load_natural(photos, SHAPE)
    assert not (folder / cache.KNOWN).exists()


def test_no_name_is_stored(folder: Path, photos: Path) -> None:
    load_natural(photos, SHAPE)
    load_natural(pack(photos, "zip"), SHAPE)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 5  # pixels, info, digests and two notes
    kept = b"".join(str(f.relative_to(folder)).encode() + f.read_bytes() for f in files).lower()
    for word in (b"holiday", b"aaa.", b"zzz", b"photos", b"packed"):
        assert word not in kept


@pytest.mark.parametrize("harm", ["flip", "cut", "other", "info", "gone", "pickle"])
def test_a_damaged_cache_is_made_anew(folder: Path, photos: Path, harm: str) -> None:
    expected = load_natural(photos, SHAPE)
    (kept,) = finished(folder)
    pixels = kept / cache.PIXELS
    data = bytearray(pixels.read_bytes())
    if harm == "flip":
        data[-1] ^= 1
    pixels.write_bytes(data[:-7] if harm == "cut" else data)
    if harm == "other":
        np.save(pixels, np.zeros((9, 3, 4, 4), np.uint8))
    if harm == "pickle":
        np.save(pixels, np.array([object()]), allow_pickle=True)
    if harm == "info":
        (kept / cache.INFO).write_text(
            json.dumps({"sha256": expected.sha256, "skipped": [[99, ""]]})
        )
    if harm == "gone":
        pixels.unlink()
    del expected.__dict__["sha256"]
    expected = load_natural(photos, SHAPE, cache=False)
    assert same(load_natural(photos, SHAPE), expected)
    assert np.array_equal(np.load(pixels), expected.pixels.numpy())


def test_a_folder_that_cannot_be_used_means_no_cache_and_one_line(
    folder: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = load_natural(photos, SHAPE, cache=False)
    full = shutil.disk_usage(photos)._replace(free=0)
    for reason in ("File exists", "No space left on device"):
        caplog.clear()
        with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
            if reason == "File exists":
                patch.setenv(cache.VARIABLE, str(photos / "aaa.jpg"))
            else:
                patch.setattr(shutil, "disk_usage", lambda _: full)
            assert same(load_natural(photos, SHAPE), expected)
        (message,) = caplog.messages
        assert reason in message
        assert "set STRAYLIGHT_CACHE to another folder, or give --no-cache" in message
        assert "\n" not in message
    assert not finished(folder)
    assert not list(folder.glob(f"{cache.SCRATCH}/partial-*"))


def test_a_file_that_cannot_be_read_means_no_cache(folder: Path, photos: Path) -> None:
    archive = pack(photos, "zip")
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption
    archive.write_bytes(data)
    for _ in "ab":
        found = load_natural(archive, SHAPE)
        assert "encrypted" in found.skipped[-1].reason
        assert same(found, load_natural(archive, SHAPE, cache=False))
    assert not finished(folder)
    for file in photos.rglob("*.png"):
        file.unlink()
    with pytest.raises(InputError, match=r"none of the 2 image files .* \(first: aaa.jpg"):
        load_natural(photos, SHAPE)


def test_what_a_killed_process_left_is_removed_in_time(folder: Path, photos: Path) -> None:
    old, new = (folder / cache.SCRATCH / name for name in ("partial-old", "partial-new"))
    for left in (old, new):
        left.mkdir(parents=True)
        (left / cache.PIXELS).write_bytes(b"half")
        long_ago = (left / cache.PIXELS).stat().st_mtime - 2 * cache.ABANDONED
        os.utime(left, (long_ago, long_ago))
    os.utime(old / cache.PIXELS, (long_ago, long_ago))
    load_natural(photos, SHAPE)
    assert not old.exists()
    assert new.exists()  # it is being written to


def test_it_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache.cache_folder() == Path("/a")
    monkeypatch.delenv(cache.VARIABLE)
    assert cache.cache_folder() == Path("/b/straylight")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache.cache_folder() == Path("/c/.cache/straylight")


def start(photos: Path, result: Path, largest_file: int = 0) -> int:
    """Load photographs in another process, slowly; it writes the digest and what it was told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where there are threads
        process = os.fork()
    if process:
        return process
    try:
        import resource

        messages: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Selection, "decode", slowly)
            patch.setattr(cache.LOG, "warning", lambda *said: messages.append(said[0] % said[1:]))
            if largest_file:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
            found = load_natural(photos, (3, 64, 64))
            result.write_text(json.dumps([found.sha256, *messages]))
    finally:
        os._exit(0)


DECODE = Selection.decode


def slowly(chosen: Selection, data: bytes, shape: Shape, view: None = None) -> np.ndarray:
    time.sleep(0.02)
    return DECODE(chosen, data, shape, view)


@pytest.fixture
def expected(photos: Path) -> str:
    return load_natural(photos, (3, 64, 64), cache=False).sha256


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
def test_a_process_that_is_killed_half_way_leaves_nothing_to_read(
    folder: Path, photos: Path, tmp_path: Path, expected: str
) -> None:
    process = start(photos, tmp_path / "never")
    while not any(
        path.stat().st_size for path in folder.glob(f"{cache.SCRATCH}/partial-*/whole/pixels.npy")
    ):
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(process, 0)[1]) == signal.SIGKILL
    assert len(list(folder.glob(f"{cache.SCRATCH}/partial-*"))) == 1
    assert not finished(folder)
    assert load_natural(photos, (3, 64, 64)).sha256 == expected
    assert len(finished(folder)) == 1
    assert not (tmp_path / "never").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
def test_a_disk_that_is_full_half_way_means_no_cache(
    folder: Path, photos: Path, tmp_path: Path, expected: str
) -> None:
    """No file may grow beyond three of the nine images."""
    os.waitpid(start(photos, tmp_path / "result", largest_file=3 * 3 * 64 * 64), 0)
    digest, message = json.loads((tmp_path / "result").read_text())
    assert digest == expected
    assert message.startswith("photographs are not cached ([Errno 27] File too large")
    assert not finished(folder)
    assert not list(folder.glob(f"{cache.SCRATCH}/partial-*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
def test_two_processes_at_once_read_whole_files(
    folder: Path, photos: Path, tmp_path: Path, expected: str
) -> None:
    processes = [start(photos, tmp_path / name) for name in ("one", "two")]
    most = 0
    while len(processes) > 0:
        most = max(most, len(list(folder.glob(f"{cache.SCRATCH}/partial-*/whole"))))
        processes = [p for p in processes if os.waitpid(p, os.WNOHANG)[0] == 0]
        time.sleep(0.001)
    assert most == 2  # both were making it
    for name in ("one", "two"):
        assert json.loads((tmp_path / name).read_text()) == [expected]
    assert len(finished(folder)) == 1
    assert not list(folder.glob(f"{cache.SCRATCH}/partial-*"))


MEMORY = """
import ctypes, resource, sys
# Large blocks come from the kernel and go back to it: what counts is what is in use, not the holes.
ctypes.CDLL(None).mallopt(-3, 2**20)  # M_MMAP_THRESHOLD
from pathlib import Path
import torch
from straylight.attacks import Gradient
from straylight.attacks.auto import split_held_out
from straylight.attacks.ball import Ball
from straylight.models.classifier import Classifier
from straylight.data.photographs.load import load_natural
torch.set_num_threads(1)
shape = (3, 96, 96)
network = torch.nn.Sequential(torch.nn.AvgPool2d(24), torch.nn.Flatten(), torch.nn.Linear(48, 2))
classifier = Classifier(network, shape=shape, class_names=("a", "b"))
ball = Ball("linf", 0.1)

def attack(images, method):
    generator = torch.Generator().manual_seed(0)
    for snapshot in method(classifier, images, ball, target=None, generator=generator):
        pass

def used():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmData"))

warm = load_natural("builtin:noise", shape, n=8)
attack(warm, Gradient(steps=1, batch_size=2))
limit = used() + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
for _ in "ab":  # made, and taken from the cache
    images = load_natural(sys.argv[1], shape)
print(len(images), images.sha256, flush=True)
attack(images, Gradient(steps=2, batch_size=8))
for part in split_held_out(images, torch.Generator()):
    print(len(part), len(part.digests()), len(classifier.predict_all(part)), flush=True)
try:
    images.pixels.clone()
except RuntimeError as error:
    print("not all at once", flush=True)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's limit on data")
def test_images_larger_than_memory_are_audited(tmp_path: Path, folder: Path) -> None:
    """6,000 images of 158 MiB with 100 MiB of memory: made, mapped, hashed and attacked."""
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for number in range(6000):
            Image.new("RGB", (4, 4), (number % 256, number // 256, 7)).save(
                stream := io.BytesIO(), "png"
            )
            archive.writestr(f"{number:04}.png", stream.getvalue())
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "photos.zip"), str(100 * 2**20)],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, *parts, last = done.stdout.splitlines()
    expected = load_natural(tmp_path / "photos.zip", (3, 96, 96), cache=False)
    assert first == f"6000 {expected.sha256}"
    assert parts == ["5800 5800 5800", "200 200 200"]
    assert last == "not all at once"


def test_the_cache_removes_no_folder_that_it_did_not_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "mine"))
    own = write_files(tmp_path / "mine", {"partial-results/thesis.txt": b"x"}) / "partial-results"
    scratch = own.parent / cache.SCRATCH
    scratch.mkdir()
    (scratch / "partial-link").symlink_to(own)
    for path in (own / "thesis.txt", own):
        os.utime(path, (1e9, 1e9))
    load_natural(write_files(tmp_path / "photos", {"a.png": encode_grey_png(7)}), TINY_SHAPE)
    assert (own / "thesis.txt").read_bytes() == b"x"
    assert (scratch / "partial-link").is_symlink()
