"""Several archives as one source: the same photographs as in one folder."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from straylight.core.errors import InputError
from straylight.data.photographs import shards
from straylight.data.photographs.load import load_natural
from straylight.data.photographs.shards import expand_braces, open_source

SHAPE = (3, 8, 10)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Twelve photographs in a folder, and in three shards as WebDataset writes them."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    (tmp_path / "shards").mkdir()
    for shard in range(3):
        with tarfile.open(tmp_path / "shards" / f"{shard + 8:03}.tar", "w") as archive:
            for number in range(4 * shard, 4 * shard + 4):
                pixels = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
                file = tmp_path / "photos" / f"{number:06}.png"
                Image.fromarray(pixels).save(file)
                (tmp_path / "0.cls").write_text("1")
                archive.add(file, file.name)
                archive.add(tmp_path / "0.cls", f"{number:06}.cls")
    return tmp_path


def test_shards_are_one_source(packed: Path) -> None:
    pattern = f"{packed}/shards/{{008..010}}.tar"
    for n in (None, 5):
        for _ in "ab":  # without a cache, and with one
            found = load_natural(pattern, SHAPE, n=n, seed=4)
            assert found.sha256 == load_natural(packed / "photos", SHAPE, n=n, seed=4).sha256
    with open_source(pattern) as opened:
        names = opened.names()
        assert names[0] == f"{packed}/shards/008.tar/000000.cls"
        assert len(names) == 24
        assert opened.has(names[3])
        assert not opened.has("008.tar")
        assert opened.read(names[3]) == (packed / "photos" / "000001.png").read_bytes()


def test_shards_may_have_the_same_names_inside(packed: Path) -> None:
    twice = load_natural(f"{packed}/{{photos,shards/008.tar,shards/../shards/008.tar}}", SHAPE)
    photos = load_natural(packed / "photos", SHAPE).pixels
    assert np.array_equal(twice.pixels, np.concatenate([photos, photos[:4], photos[:4]]))


def test_one_shard_is_open_at_a_time(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each is opened twice: to list what is in it, and to read it."""
    files: list[tarfile.TarFile] = []
    original = tarfile.open

    def spy(path: Path, **settings: type[tarfile.TarInfo]) -> tarfile.TarFile:
        assert all(file.closed for file in files)
        files.append(original(path, **settings))
        return files[-1]

    monkeypatch.setattr(tarfile, "open", spy)
    load_natural(f"{packed}/shards/{{008..010}}.tar", SHAPE, cache=False)
    assert len(files) == 6
    assert all(file.closed for file in files)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.tar", ["a.tar"]),
        ("{9..11}", ["9", "10", "11"]),
        ("{0..10}", [str(number) for number in range(11)]),
        ("{1..003}", ["001", "002", "003"]),
        ("{2..0}.tar", ["2.tar", "1.tar", "0.tar"]),
        ("{train,val}-{00..01}.zip", ["train-00.zip", "train-01.zip", "val-00.zip", "val-01.zip"]),
        ("{single}/{}", ["{single}/{}"]),
    ],
)
def test_braces_are_those_of_bash(pattern: str, expected: list[str]) -> None:
    assert expand_braces(pattern) == expected


def test_what_is_missing_or_too_much_is_refused(packed: Path) -> None:
    with pytest.raises(InputError, match=r"shards/011\.tar is not a folder or an archive"):
        load_natural(f"{packed}/shards/{{008..011}}.tar", SHAPE)
    for pattern in ("{0..99999999999}.tar", "{0..9999}{0..9999}.tar"):
        with pytest.raises(InputError, match=r"expands to more than 100,000 archives: give fewer"):
            load_natural(pattern, SHAPE)
    assert shards.MOST == 100_000


def test_a_folder_may_have_braces_in_its_name(packed: Path) -> None:
    (packed / "photos").rename(packed / "{a,b}")
    assert len(load_natural(packed / "{a,b}", SHAPE)) == 12
