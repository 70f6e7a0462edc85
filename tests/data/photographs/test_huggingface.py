"""Photographs from the rows of Hugging Face data sets: the rows that the package draws."""

import tempfile
from pathlib import Path

import datasets
import numpy as np
import pytest

from straylight.core.errors import InputError
from straylight.data.files.huggingface import silence_datasets
from straylight.data.files.selection import Selection
from straylight.data.photographs.load import load_natural

SHAPE = (3, 20, 24)
pytestmark = pytest.mark.usefixtures("no_traces")


def test_photographs_are_drawn_as_the_package_shuffles(image_folder: Path) -> None:
    folder = image_folder / "test"
    spec = f"hf:{image_folder}:test"
    everything = load_natural(folder, SHAPE)
    assert load_natural(spec, SHAPE).sha256 == everything.sha256
    with silence_datasets(datasets), tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset(
            str(image_folder), split="test", streaming=True, cache_dir=cache
        )
        chosen = [row["image"] for row in rows.shuffle(seed=7, buffer_size=1000).take(10)]
    expected = np.stack([np.asarray(image).transpose(2, 0, 1) for image in chosen])
    for cached in (False, True, True):
        found = load_natural(spec, (3, 20, 24), n=10, seed=7, cache=cached)
        assert np.array_equal(found.pixels.numpy(), expected)
    with pytest.raises(InputError, match="has 24 photographs in this split, fewer than the 25"):
        load_natural(spec, SHAPE, n=25)


def test_photographs_of_a_settled_folder_are_not_read_again(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("straylight.data.files.selection.SETTLED", -1e9)
    first = load_natural(f"hf:{image_folder}:test", SHAPE, n=5)

    def refuse(*_: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(Selection, "decode", refuse)
    monkeypatch.setattr("straylight.data.files.huggingface.DatasetSplit.read", refuse)
    assert load_natural(f"hf:{image_folder}:test", SHAPE, n=5).sha256 == first.sha256
