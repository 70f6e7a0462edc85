"""Files that cannot be decoded are skipped and reported."""

from pathlib import Path

import pytest

from gradient_images import GRADIENT_SHAPE, gradient_image
from straylight.core.errors import InputError
from straylight.data.photographs.load import load_natural


def test_bad_files_among_good_ones_are_skipped_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    gradient_image().save(tmp_path / "deep" / "er" / "good.png")
    gradient_image().resize((200, 200)).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:900])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not an image")
    photographs = load_natural(tmp_path, GRADIENT_SHAPE)
    assert len(photographs) == 2
    assert sorted(item.file for item in photographs.skipped) == ["cut.jpg", "empty.png", "text.png"]
    assert all(item.reason and str(tmp_path) not in item.reason for item in photographs.skipped)


def test_no_readable_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no image file"):
        load_natural(tmp_path, GRADIENT_SHAPE)
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(
        InputError, match=r"none of the 1 image files .* can be read \(first: a.png"
    ):
        load_natural(tmp_path, GRADIENT_SHAPE)
    with pytest.raises(InputError, match="is neither a folder of photographs"):
        load_natural(tmp_path / "nowhere", GRADIENT_SHAPE)
