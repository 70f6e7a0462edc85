"""Decoded images in a file are those that numpy reads, in the order of their positions."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from image_folders import TINY_SHAPE, encode_grey_png
from straylight.data.files.selection import ImageFile, Selection
from straylight.data.photographs.pixel_file import (
    UnreadableFileError,
    digest_of_files,
    map_pixels,
    write_pixels,
)

CONTENTS = [encode_grey_png(10), b"no image", encode_grey_png(30), encode_grey_png(40)]


def select(contents: list[bytes], order: list[int]) -> Selection:
    """Files that are fastest to read in an order that is not theirs."""

    def reader(index: int) -> Callable[[], bytes]:
        return lambda: contents[index]

    files = [ImageFile(index, reader(index)) for index in order]
    return Selection(spec="x", files=lambda: files, name=str)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_rows_are_in_order_without_gaps(tmp_path: Path, order: list[int]) -> None:
    digests, reasons = write_pixels(tmp_path / "a.npy", select(CONTENTS, order), TINY_SHAPE)
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == np.uint8
    expected = np.array([10, 30, 40]).reshape(3, 1, 1, 1)
    assert np.array_equal(found, np.broadcast_to(expected, (3, *TINY_SHAPE)))
    assert list(reasons) == [1]
    assert digests == {k: hashlib.sha256(data).digest() for k, data in enumerate(CONTENTS)}
    joined = b"".join(hashlib.sha256(data).digest() for data in CONTENTS)
    assert digest_of_files(digests) == hashlib.sha256(joined).hexdigest()
    np.save(tmp_path / "b.npy", found)
    assert (tmp_path / "a.npy").stat().st_size == (tmp_path / "b.npy").stat().st_size


def test_photographs_of_which_none_can_be_read_have_no_content(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        write_pixels(tmp_path / "a.npy", select([b"no image"] * 2, [0, 1]), TINY_SHAPE)

    def refuse() -> bytes:
        raise ValueError("encrypted")

    chosen = Selection(spec="x", files=lambda: [ImageFile(0, refuse)], name=str)
    with pytest.raises(UnreadableFileError):
        write_pixels(tmp_path / "a.npy", chosen, TINY_SHAPE)


def test_pixels_stay_in_their_file(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    np.save(tmp_path / "a.npy", array)
    found = map_pixels(tmp_path / "a.npy")
    assert np.array_equal(found.numpy(), array)
    with (tmp_path / "a.npy").open("rb+") as stream:
        stream.seek(-1, 2)
        stream.write(b"\xff")
    assert int(found[-1, -1, -1, -1]) == 255  # a copy in memory would not tell


@pytest.mark.parametrize("array", [np.zeros((2, 3, 4, 4), np.int8), np.zeros((3, 4, 4), np.uint8)])
def test_other_arrays_are_no_pixels(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match="are not pixels"):
        map_pixels(tmp_path / "a.npy")
