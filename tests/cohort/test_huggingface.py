"""Cohorts from the rows of Hugging Face data sets: the same images and labels as in folders."""

from pathlib import Path

import datasets
import pytest
from PIL import Image

from huggingface_rows import rows_of, write_parquet
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.errors import InputError
from straylight.data.files.huggingface import silence_datasets

SHAPE = (3, 20, 24)
pytestmark = pytest.mark.usefixtures("no_traces")


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
        with silence_datasets(datasets):
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
        InputError, match="has the columns scan, dx, age but not image: name the column with"
    ):
        load_cohort(f"hf:{folder}:test", SHAPE)
    reading = Reading(file="scan", label="dx")
    found = load_cohort(f"hf:{folder}:test", SHAPE, ("b", "a"), reading=reading)
    assert found.labels.tolist() == [1, 0]
    assert [(item.file, item.reason) for item in found.images.skipped] == [
        ("row 1", "not an image in a known format"), ("row 2", "the row has no image"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="has the class a, which the model does not know"):
        load_cohort(f"hf:{folder}:test", SHAPE, ("b", "c"), reading=reading)
    with pytest.raises(InputError, match=r"labels outside 0\.\.1, the model's classes"):
        load_cohort(
            f"hf:{folder}:test", SHAPE, ("b", "a"), reading=Reading(file="scan", label="age")
        )
