"""One thread for all tests, and no deadlines: figures do not depend on the machine."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from paths import SHARED
from shades import Parts, shade_parts

torch.set_num_threads(1)
settings.register_profile("straylight", deadline=None)
settings.load_profile("straylight")

# Files whose tests wait and kill: first, so that no processor is left with one of them at the end.
LONG = (
    "test_ray_engine.py",
    "test_study.py",
    "test_fuzz.py",
    "test_unfinished.py",
    "test_cache.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the longest files to the front; the order within a file stays."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def cache() -> Iterator[None]:
    """Keep decoded photographs in a folder of the tests' own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STRAYLIGHT_CACHE"] = folder
        yield
    del os.environ["STRAYLIGHT_CACHE"]


@pytest.fixture
def shared() -> Path:
    """The development data, where it is."""
    if not SHARED.is_dir():
        pytest.skip("the development data (../shared/data) is not here")
    return SHARED


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Two classes of 12 small images that differ in brightness, as class folders."""
    rng = np.random.default_rng(0)
    for label, level in (("dark", 60), ("light", 180)):
        folder = tmp_path / "medical" / label
        folder.mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(level - 40, level + 40, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "medical"


@pytest.fixture(scope="module")
def shades() -> Parts:
    """A classifier of brightness, photographs, and a cohort of two shades."""
    return shade_parts()


@pytest.fixture
def no_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Nothing is printed, and what `datasets` notes is in a temporary folder that is gone."""
    import datasets

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "home")
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", tmp_path / "home")
    yield
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "home").exists()
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def image_folder(class_folders: Path) -> Path:
    """``FOLDER/test/CLASS/image.png``."""
    (class_folders.parent / "set").mkdir()
    return class_folders.rename(class_folders.parent / "set" / "test").parent
