"""Origins of photographs."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from gradient_images import GRADIENT_SHAPE
from image_folders import TINY_SHAPE, write_picture
from straylight.core.errors import InputError
from straylight.data.photographs.builtin import PHOTOS
from straylight.data.photographs.load import load_natural


def test_what_is_learned_on_has_an_origin(tmp_path: Path) -> None:
    crops = load_natural("builtin:photos", TINY_SHAPE, n=30)
    assert (crops.source.kind, crops.source.n_distinct) == ("crops", 11)
    assert crops.subset(torch.arange(4)).source.n_distinct == 4
    drawings = load_natural("builtin:dead-leaves", TINY_SHAPE, n=3)
    assert (drawings.source.kind, drawings.source.n_distinct) == ("drawings", 3)
    for number in range(5):
        write_picture(tmp_path / f"{number}.png", number // 2)
    photographs = load_natural(tmp_path, TINY_SHAPE)
    assert (photographs.source.kind, photographs.source.n_distinct) == ("photographs", 3)


def test_photographs_are_drawn_by_seed(tmp_path: Path) -> None:
    for number in range(6):
        Image.new("RGB", (10, 8), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")
    first, again = (load_natural(tmp_path, GRADIENT_SHAPE, n=3, seed=5) for _ in range(2))
    assert first.sha256 == again.sha256
    assert len(first) == 3
    assert first.sha256 != load_natural(tmp_path, GRADIENT_SHAPE, n=3, seed=6).sha256
    with pytest.raises(InputError, match="has 6 photographs, fewer than the 7"):
        load_natural(tmp_path, GRADIENT_SHAPE, n=7)


def test_builtin_photos_are_the_same_for_a_seed() -> None:
    photos = load_natural(PHOTOS, (3, 32, 32), n=22, seed=1)
    assert photos.pixels.shape == (22, 3, 32, 32)
    assert photos.sha256 == load_natural(PHOTOS, (3, 32, 32), n=22, seed=1).sha256
    assert photos.sha256 != load_natural(PHOTOS, (3, 32, 32), n=22, seed=2).sha256
    assert float(photos.pixels.float().std()) > 30
