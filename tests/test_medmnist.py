"""MedMNIST by its package, on a small file in its layout."""

from pathlib import Path

import numpy as np
import pytest

from straylight.cohort import load_cohort
from straylight.errors import InputError

SHAPE = (1, 28, 28)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDMNIST_ROOT", str(tmp_path / "sets"))
    (tmp_path / "sets").mkdir()
    return tmp_path / "sets"


def write(path: Path, side: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", 6), ("val", 4), ("test", 5)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, side, side), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(n)[:, None] % 2
    np.savez(path, **arrays)
    return arrays


def test_a_set_is_what_its_file_holds(root: Path) -> None:
    for name, side in (("pneumoniamnist.npz", 28), ("pneumoniamnist_64.npz", 64)):
        arrays = write(root / name, side)
        size = "" if side == 28 else f"@{side}"
        found = load_cohort(f"medmnist:pneumoniamnist{size}:test", (1, side, side))
        assert found.class_names == ("normal", "pneumonia")
        assert np.array_equal(found.images.pixels[:, 0].numpy(), arrays["test_images"])
        assert found.labels.tolist() == [0, 1, 0, 1, 0]
        same = load_cohort(f"{root / name}:test", (1, side, side), found.class_names)
        assert same.images.sha256 == found.images.sha256


def test_other_sets_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no connection")

    monkeypatch.setattr("medmnist.dataset.MedMNIST.download", refuse)
    for spec, message in [
        ("medmnist:pneumoniamnist", "give medmnist:NAME@SIZE:SPLIT"),
        ("medmnist:retinamnist3d:test", "no such set of 2-D images: pathmnist"),
        ("medmnist:organmnist3d:test", "no such set of 2-D images"),
        ("medmnist:nosuch:test", "no such set"),
        ("medmnist:pneumoniamnist@64:test", r"cannot be had .* put pneumoniamnist_64.npz into"),
        ("medmnist:pneumoniamnist@65:test", "cannot be had"),
    ]:
        with pytest.raises(InputError, match=message):
            load_cohort(spec, SHAPE)
    write(root / "pneumoniamnist.npz", 28)
    with pytest.raises(InputError, match="has the classes normal, pneumonia; the model has a, b"):
        load_cohort("medmnist:pneumoniamnist:test", SHAPE, ("a", "b"))
