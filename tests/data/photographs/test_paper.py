"""The photographs of the paper: which files, how many, and in which order."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from straylight.core.errors import InputError
from straylight.data.photographs import paper
from straylight.data.photographs.load import load_natural

SHAPE = (3, 6, 6)


def write(folder: Path, names: list[str]) -> list[str]:
    """Write one-coloured images: the number of each in red."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (7, 9), (number * 3, 100, 40)).save(folder / name, "png")
    return names


SYNSETS = [f"n0000000{k}/n0000000{k}_{j}.JPEG" for k in (1, 2, 3) for j in range(10)]


@pytest.mark.parametrize("layout", ["train", "ILSVRC/Data/CLS-LOC/train", "."])
def test_imagenet_is_drawn_as_python_draws(tmp_path: Path, layout: str) -> None:
    write(tmp_path / layout, SYNSETS)
    write(tmp_path / layout, ["README.JPEG", "n00000001/notes.txt", "other/a.JPEG"])
    random.seed(111)
    expected = random.sample(SYNSETS, 12)
    drawn = paper.draw_as_paper(f"imagenet:{tmp_path}", 12)
    assert drawn.names == expected
    found = load_natural(f"imagenet:{tmp_path}", SHAPE, n=12, seed=5)
    assert found.pixels[:, 0, 0, 0].tolist() == [3 * SYNSETS.index(name) for name in expected]
    assert found.spec == f"imagenet:{tmp_path}"


@pytest.mark.parametrize("layout", ["test", "."])
def test_open_images_are_stretched(tmp_path: Path, layout: str) -> None:
    """As there: x / x.max() * 255 of each image; ours is rounded."""
    names = write(tmp_path / layout, [f"{k:03}.jpg" for k in range(20)])
    random.seed(111)
    expected = [3 * names.index(name) for name in random.sample(names, 9)]
    found = load_natural(f"openimages:{tmp_path}", SHAPE, n=9)
    for image, red in zip(found.pixels.numpy(), expected, strict=True):
        levels = np.array([red, 100, 40]) / 100 * 255
        assert image[:, 2, 3].tolist() == np.round(levels).astype(int).tolist()


def test_a_black_image_stays_black(tmp_path: Path) -> None:
    Image.new("RGB", (7, 9)).save(tmp_path / "a.jpg")
    assert load_natural(f"openimages:{tmp_path}", SHAPE, n=1).pixels.max() == 0


def test_without_a_number_the_papers_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, SYNSETS)
    assert paper.N == 100_000
    with pytest.raises(
        InputError,
        match="has 30 photographs, fewer than the 100,000 that the paper drew: give --ph",
    ):
        load_natural(f"imagenet:{tmp_path}", SHAPE)
    monkeypatch.setattr(paper, "N", 7)
    assert len(load_natural(f"imagenet:{tmp_path}", SHAPE)) == 7
    with pytest.raises(InputError, match="has 30 photographs, fewer than the 31 requested"):
        load_natural(f"imagenet:{tmp_path}", SHAPE, n=31)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    write(tmp_path, ["cats/a.jpg"])
    with pytest.raises(InputError, match=r"none of .*/train/nXXXXXXXX/\*\.JPEG, .* exists"):
        load_natural(f"imagenet:{tmp_path}", SHAPE)
    with pytest.raises(InputError, match=r"none of .*/test/\*\.jpg, .*/\*\.jpg exists"):
        load_natural(f"openimages:{tmp_path}", SHAPE)
    with pytest.raises(InputError, match="imagenet: has no photographs"):
        load_natural("imagenet:", SHAPE)
