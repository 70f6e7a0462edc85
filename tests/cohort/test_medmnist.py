"""MedMNIST by its package, on a small file in its layout."""

from pathlib import Path

import medmnist
import numpy as np
import pytest

from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError

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


def test_a_set_of_several_findings_is_for_a_model_of_findings(root: Path) -> None:
    write(root / "chestmnist.npz", 28)
    arrays = dict(np.load(root / "chestmnist.npz"))
    labels = np.zeros((5, 14), np.uint8)
    labels[1, 2] = labels[2, 0] = labels[3, 2] = labels[3, 13] = 1  # effusion; atelectasis; both
    np.savez(root / "chestmnist.npz", **(arrays | {"test_labels": labels}))
    one = load_cohort("medmnist:chestmnist:test", SHAPE, ("no effusion", "effusion"))
    assert one.labels.tolist() == [0, 1, 0, 1, 0]
    names = [medmnist.INFO["chestmnist"]["label"][str(k)] for k in range(14)]
    together = load_cohort("medmnist:chestmnist:test", SHAPE, ("no finding", *names))
    assert together.labels.tolist() == [0, 3, 1, 0]
    assert [(s.file, s.reason) for s in together.images.skipped] == [
        ("image 3", "several findings: effusion, hernia")
    ]
    kept = arrays["test_images"][[0, 1, 2, 4]]
    assert np.array_equal(together.images.pixels[:, 0].numpy(), kept)
    with pytest.raises(InputError, match="not one-hot: images with several findings"):
        load_cohort("medmnist:chestmnist:test", SHAPE)


def test_other_sets_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no connection")

    monkeypatch.setattr("medmnist.dataset.MedMNIST.download", refuse)
    for spec, message in [
        ("medmnist:pneumoniamnist", "give medmnist:NAME@SIZE:SPLIT"),
        ("medmnist:retinamnist3d:test", "not a data set of 2-D images. Give one of pathmnist"),
        ("medmnist:organmnist3d:test", "not a data set of 2-D images"),
        ("medmnist:nosuch:test", "not a data set of 2-D images"),
        (
            "medmnist:pneumoniamnist@64:test",
            r"cannot be downloaded or read .* put pneumoniamnist_64.npz into",
        ),
        ("medmnist:pneumoniamnist@65:test", "cannot be downloaded or read"),
    ]:
        with pytest.raises(InputError, match=message):
            load_cohort(spec, SHAPE)
    write(root / "pneumoniamnist.npz", 28)
    with pytest.raises(InputError, match="has the classes normal, pneumonia; the model has a, b"):
        load_cohort("medmnist:pneumoniamnist:test", SHAPE, ("a", "b"))
