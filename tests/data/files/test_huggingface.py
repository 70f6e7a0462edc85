"""Hugging Face data sets from the disk: the same images and labels as in folders, and no traces."""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from straylight.cohort.load import load_cohort
from straylight.cohort.reading import Reading
from straylight.core.errors import InputError
from straylight.data.files.huggingface import quiet
from straylight.data.files.selection import Selection
from straylight.data.photographs.load import load_natural

SHAPE = (3, 20, 24)


@pytest.fixture(autouse=True)
def no_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Nothing is printed, and what the package notes is in a temporary folder that is gone."""
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


def rows_of(folder: Path) -> list[tuple[bytes, str]]:
    files = sorted(folder.rglob("*.png"), key=lambda file: file.relative_to(folder).as_posix())
    return [(file.read_bytes(), file.parent.name) for file in files]


def write_parquet(folder: Path, columns: dict[str, list[object]]) -> Path:
    folder.mkdir()
    parquet.write_table(pa.table(columns), folder / "test.parquet")
    return folder


def test_an_image_folder_is_the_cohort_of_its_folders(image_folder: Path) -> None:
    expected = load_cohort(image_folder / "test", SHAPE)
    found = load_cohort(f"hf:{image_folder}:test", SHAPE)
    assert found.images.sha256 == expected.images.sha256
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.class_names == expected.class_names
    model = ("light", "unseen", "dark")  # names count, not the numbers of the data set
    assert (
        load_cohort(f"hf:{image_folder}:test", SHAPE, model).labels.tolist() == [2] * 12 + [0] * 12
    )


@pytest.mark.parametrize("kind", ["class labels", "words", "numbers", "one file a row"])
def test_parquet_is_the_cohort_of_its_folders(
    image_folder: Path, tmp_path: Path, kind: str
) -> None:
    expected = load_cohort(image_folder / "test", SHAPE)
    rows = rows_of(image_folder)
    names = ["light", "dark"]
    images = [{"bytes": data, "path": "x.png"} for data, _ in rows]
    labels = [label for _, label in rows]
    numbers = list(map(["dark", "light"].index, labels))
    if kind == "class labels":
        (tmp_path / "rows").mkdir()
        features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=names))
        columns = {"image": images, "label": list(map(names.index, labels))}
        with quiet(datasets):
            made = datasets.Dataset.from_dict(columns, features=features)
            made.to_parquet(tmp_path / "rows" / "test.parquet")
    elif kind == "one file a row":
        write_parquet(tmp_path / "rows", {"image": [data for data, _ in rows], "label": labels})
    else:
        chosen = labels if kind == "words" else numbers
        write_parquet(tmp_path / "rows", {"image": images, "label": chosen})
    for model in (None, ("dark", "light")):
        found = load_cohort(f"hf:{tmp_path}/rows:test", SHAPE, model)
        assert found.images.sha256 == expected.images.sha256
        said = [found.class_names[number] for number in found.labels]
        assert said == (list(map(str, numbers)) if kind == "numbers" and not model else labels)
        assert model is None or found.class_names == model


def test_columns_are_renamed_and_bad_rows_skipped(image_folder: Path, tmp_path: Path) -> None:
    rows = rows_of(image_folder)[:4]
    secret = tmp_path / "secret.png"
    Image.new("RGB", (20, 20)).save(secret)
    scans: list[object] = [{"bytes": data, "path": None} for data, _ in rows]
    scans[1] = {"bytes": b"no image", "path": None}
    scans[2] = {"bytes": None, "path": str(secret)}  # a file that is not the data set's
    folder = write_parquet(
        tmp_path / "rows", {"scan": scans, "dx": ["a", "b", "a", "b"], "age": [1, 2, 3, 4]}
    )
    with pytest.raises(
        InputError, match="has the columns scan, dx, age, and no image: name it with"
    ):
        load_cohort(f"hf:{folder}:test", SHAPE)
    reading = Reading(file="scan", label="dx")
    found = load_cohort(f"hf:{folder}:test", SHAPE, ("b", "a"), reading=reading)
    assert found.labels.tolist() == [1, 0]
    assert [(item.file, item.reason) for item in found.images.skipped] == [
        ("row 1", "no image of a known format"), ("row 2", "the row holds no image"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="has the class a, which the model does not know"):
        load_cohort(f"hf:{folder}:test", SHAPE, ("b", "c"), reading=reading)
    with pytest.raises(InputError, match=r"labels outside 0\.\.1, the model's classes"):
        load_cohort(
            f"hf:{folder}:test", SHAPE, ("b", "a"), reading=Reading(file="scan", label="age")
        )


def test_photographs_are_drawn_as_the_package_shuffles(image_folder: Path) -> None:
    folder = image_folder / "test"
    spec = f"hf:{image_folder}:test"
    everything = load_natural(folder, SHAPE)
    assert load_natural(spec, SHAPE).sha256 == everything.sha256
    with quiet(datasets), tempfile.TemporaryDirectory() as cache:
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
    monkeypatch.setattr("straylight.data.files.huggingface.Split.read", refuse)
    assert load_natural(f"hf:{image_folder}:test", SHAPE, n=5).sha256 == first.sha256


def test_no_code_of_a_data_set_is_run(image_folder: Path, tmp_path: Path) -> None:
    script = f"from pathlib import Path\nPath({str(tmp_path / 'executed')!r}).touch()\n"
    (image_folder / "set.py").write_text(script)
    assert len(load_cohort(f"hf:{image_folder}:test", SHAPE)) == 24
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "test.csv").write_text("image,label\na.png,b\n")
    with pytest.raises(InputError, match="has no files of the split test"):
        load_cohort(f"hf:{tmp_path}/table:test", SHAPE)
    assert not (tmp_path / "executed").exists()


def test_other_things_are_refused(image_folder: Path, tmp_path: Path) -> None:
    image = io.BytesIO()
    Image.new("RGB", (4, 4)).save(image, "png")
    many = write_parquet(tmp_path / "many", {"image": [image.getvalue()], "label": [[0, 1]]})
    none = write_parquet(tmp_path / "none", {"image": [image.getvalue()], "label": [None]})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "test.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "empty").mkdir()
    for spec, message in [
        (f"hf:{image_folder}", "give hf:NAME:SPLIT or hf:FOLDER:SPLIT"),
        ("hf:", "give hf:NAME:SPLIT or hf:FOLDER:SPLIT"),
        (f"hf:{image_folder}:val", "has the splits test, and no val"),
        (f"hf:{many}:test", "row 0: the column label holds list: it must hold one class"),
        (f"hf:{none}:test", "row 0: the column label holds NoneType"),
        (f"hf:{tmp_path}/broken:test", "cannot be read as Parquet"),
        (f"hf:{tmp_path}/empty:test", "has no files of the split test"),
    ]:
        with pytest.raises(InputError, match=message):
            load_cohort(spec, SHAPE)
    with pytest.raises(InputError, match="has the columns dx, and no image"):
        load_natural(f"hf:{write_parquet(tmp_path / 'words', {'dx': ['a']})}:test", SHAPE)
