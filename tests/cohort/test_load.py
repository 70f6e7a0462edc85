"""Labelled images from class folders, manifests and arrays: the same images, the same cohort."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from straylight.cohort.load import load_cohort
from straylight.cohort.reading import Reading
from straylight.core.errors import InputError
from straylight.data.files.containers import Folder
from straylight.data.files.discovery import find_pictures

SHAPE = (3, 20, 24)


def write_manifest(folder: Path, rows: list[tuple[str, str]], header: str = "file,label") -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        stream.write(header + "\r\n")
        csv.writer(stream).writerows(rows)
    return path


def rows_of(folder: Path) -> list[tuple[str, str]]:
    return [
        (name, name.split("/")[-2]) for name in find_pictures(Folder(folder), dicom=False).names
    ]


def test_the_same_images_are_the_same_cohort_whichever_way_they_come(class_folders: Path) -> None:
    folders = load_cohort(class_folders, SHAPE)
    manifest = load_cohort(write_manifest(class_folders, rows_of(class_folders)), SHAPE)
    arrays = class_folders.parent / "cohort.npz"
    names = np.array(folders.class_names)
    np.savez(arrays, images=folders.images.pixels.numpy(), labels=names[folders.labels])
    numbers = class_folders.parent / "numbers.npz"
    np.savez(
        numbers,
        images=folders.images.pixels.numpy(),
        labels=folders.labels.numpy()[:, None],
        class_names=names,
    )
    assert folders.class_names == ("dark", "light")
    for other in (manifest, load_cohort(arrays, SHAPE), load_cohort(numbers, SHAPE)):
        assert other.images.sha256 == folders.images.sha256
        assert torch.equal(other.labels, folders.labels)
        assert other.class_names == folders.class_names


def test_labels_follow_the_order_of_the_model(class_folders: Path) -> None:
    cohort = load_cohort(class_folders, SHAPE, ("light", "unseen", "dark"))
    assert cohort.class_names == ("light", "unseen", "dark")
    assert cohort.labels.tolist() == [2] * 12 + [0] * 12


def test_labels_stay_with_their_images_when_one_is_skipped(class_folders: Path) -> None:
    (class_folders / "dark" / "0.png").write_text("broken")
    cohort = load_cohort(class_folders, SHAPE)
    assert cohort.labels.tolist() == [0] * 11 + [1] * 12
    assert [item.file for item in cohort.images.skipped] == ["dark/0.png"]


def test_bad_manifests_are_refused(class_folders: Path) -> None:
    rows = rows_of(class_folders)
    cases = [
        (
            [*rows, ("dark/none.png", "dark")],
            "file,label",
            "line 26: the file dark/none.png does not",
        ),
        ([*rows, ("", "dark")], "file,label", "line 26: both file and label"),
        (rows, "path,class", "must have the columns file,label"),
        ([], "file,label", "must have the columns file,label and at least one row"),
    ]
    for content, header, message in cases:
        with pytest.raises(InputError, match=message):
            load_cohort(write_manifest(class_folders, content, header), SHAPE)
    (class_folders / "manifest.csv").write_bytes(b"file,label\n\xff\xfe,dark\n")
    with pytest.raises(InputError, match="is not a CSV file in UTF-8"):
        load_cohort(class_folders / "manifest.csv", SHAPE)


def test_classes_that_the_model_does_not_know_are_refused(class_folders: Path) -> None:
    with pytest.raises(InputError, match="has the class dark, which the model does not know"):
        load_cohort(class_folders, SHAPE, ("light", "medium"))


def test_other_things_are_refused(class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    (class_folders / "dark" / "0.png").rename(tmp_path / "flat" / "0.png")
    (tmp_path / "x.txt").write_text("x")
    np.savez(tmp_path / "nolabels.npz", images=np.zeros((2, 4, 4), np.uint8))
    np.savez(tmp_path / "short.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.zeros(3, int))
    np.savez(tmp_path / "range.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 9]))
    for name, message in [
        ("flat", "has no image in class folders"),
        ("nowhere", "does not exist"),
        ("x.txt", "is no folder, archive"),
        ("nolabels.npz", "expected the arrays images and labels"),
        ("short.npz", "give one for each image"),
        ("range.npz", r"labels outside 0\.\.1"),
    ]:
        with pytest.raises(InputError, match=message):
            load_cohort(tmp_path / name, SHAPE, ("dark", "light"))


def test_a_parquet_manifest_is_a_csv_manifest(class_folders: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = rows_of(class_folders)
    expected = load_cohort(write_manifest(class_folders, rows), SHAPE)
    columns = {"file": [file for file, _ in rows], "label": [label for _, label in rows]}
    parquet.write_table(pa.table(columns), class_folders / "manifest.parquet")
    found = load_cohort(class_folders / "manifest.parquet", SHAPE)
    assert found.images.sha256 == expected.images.sha256
    assert torch.equal(found.labels, expected.labels)
    (class_folders / "manifest.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="is not a Parquet file"):
        load_cohort(class_folders / "manifest.parquet", SHAPE)


def test_other_columns_and_another_folder_are_named(class_folders: Path, tmp_path: Path) -> None:
    """A manifest from Windows, elsewhere, with mixed line ends and a byte order mark."""
    expected = load_cohort(class_folders, SHAPE)
    lines = [f"{n},{label},{file}" for n, (file, label) in enumerate(rows_of(class_folders))]
    text = "nr,dx,image\r\n" + "\n".join(lines[:9]) + "\r\n" + "\r\n".join(lines[9:]) + "\n"
    manifest = tmp_path / "labels.csv"
    manifest.write_bytes(text.replace("/", "\\").encode("utf-8-sig"))
    with pytest.raises(InputError, match=r"It has nr, dx, image\. Other columns: --reading"):
        load_cohort(manifest, SHAPE)
    reading = Reading(file="image", label="dx", root=str(class_folders))
    found = load_cohort(manifest, SHAPE, reading=reading)
    assert found.images.sha256 == expected.images.sha256
    with pytest.raises(InputError, match="nowhere is no folder or archive"):
        load_cohort(manifest, SHAPE, reading=Reading(file="image", label="dx", root="nowhere"))


@pytest.mark.parametrize(
    "file", ["../a.png", "/etc/passwd", "C:\\a.png", "dark/../../a.png", ".", "a\0.png"]
)
def test_no_manifest_leads_out_of_its_folder(class_folders: Path, file: str) -> None:
    with pytest.raises(InputError, match=r"line 2: .* leads out of the folder"):
        load_cohort(write_manifest(class_folders, [(file, "dark")]), SHAPE)


def test_a_file_has_one_label_and_counts_once(class_folders: Path) -> None:
    rows = rows_of(class_folders)
    twice = load_cohort(write_manifest(class_folders, [*rows, *rows]), SHAPE)
    assert len(twice) == len(rows)
    both = [*rows, (rows[0][0], "light")]
    with pytest.raises(InputError, match=r"line 26: dark/0\.png is light, but dark in line 2"):
        load_cohort(write_manifest(class_folders, both), SHAPE)
