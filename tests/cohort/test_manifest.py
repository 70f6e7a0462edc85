"""Names of files in manifests."""

from pathlib import Path

import pytest
import torch

from image_folders import TINY_SHAPE, write_picture
from manifests import COHORT_SHAPE, rows_of_folder, write_manifest
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.errors import InputError


def test_case_11_names_from_the_root_of_the_disk(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png")
    secret = write_picture(tmp_path / "secret.png")
    table = tmp_path / "labels.csv"
    table.write_text(f"file,label\n{tmp_path}/in/a.png,A\n")
    assert len(load_cohort(table, TINY_SHAPE, reading=Reading(root=str(tmp_path / "in")))) == 1
    for name in (secret, tmp_path / "in" / ".." / "secret.png"):
        table.write_text(f"file,label\n{name},A\n")
        with pytest.raises(InputError, match="is outside the folder of the files"):
            load_cohort(table, TINY_SHAPE, reading=Reading(root=str(tmp_path / "in")))


def test_bad_manifests_are_refused(class_folders: Path) -> None:
    rows = rows_of_folder(class_folders)
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
            load_cohort(write_manifest(class_folders, content, header), COHORT_SHAPE)
    (class_folders / "manifest.csv").write_bytes(b"file,label\n\xff\xfe,dark\n")
    with pytest.raises(InputError, match="is not a CSV file in UTF-8"):
        load_cohort(class_folders / "manifest.csv", COHORT_SHAPE)


def test_a_parquet_manifest_is_a_csv_manifest(class_folders: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = rows_of_folder(class_folders)
    expected = load_cohort(write_manifest(class_folders, rows), COHORT_SHAPE)
    columns = {"file": [file for file, _ in rows], "label": [label for _, label in rows]}
    parquet.write_table(pa.table(columns), class_folders / "manifest.parquet")
    found = load_cohort(class_folders / "manifest.parquet", COHORT_SHAPE)
    assert found.images.sha256 == expected.images.sha256
    assert torch.equal(found.labels, expected.labels)
    (class_folders / "manifest.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="is not a Parquet file"):
        load_cohort(class_folders / "manifest.parquet", COHORT_SHAPE)


def test_other_columns_and_another_folder_are_named(class_folders: Path, tmp_path: Path) -> None:
    """A manifest from Windows, elsewhere, with mixed line ends and a byte order mark."""
    expected = load_cohort(class_folders, COHORT_SHAPE)
    lines = [f"{n},{label},{file}" for n, (file, label) in enumerate(rows_of_folder(class_folders))]
    text = "nr,dx,image\r\n" + "\n".join(lines[:9]) + "\r\n" + "\r\n".join(lines[9:]) + "\n"
    manifest = tmp_path / "labels.csv"
    manifest.write_bytes(text.replace("/", "\\").encode("utf-8-sig"))
    with pytest.raises(
        InputError, match=r"It has nr, dx, image\. For other columns give --reading"
    ):
        load_cohort(manifest, COHORT_SHAPE)
    reading = Reading(file="image", label="dx", root=str(class_folders))
    found = load_cohort(manifest, COHORT_SHAPE, reading=reading)
    assert found.images.sha256 == expected.images.sha256
    with pytest.raises(InputError, match="nowhere is not a folder or an archive"):
        load_cohort(
            manifest, COHORT_SHAPE, reading=Reading(file="image", label="dx", root="nowhere")
        )


@pytest.mark.parametrize(
    "file", ["../a.png", "/etc/passwd", "C:\\a.png", "dark/../../a.png", ".", "a\0.png"]
)
def test_no_manifest_leads_out_of_its_folder(class_folders: Path, file: str) -> None:
    with pytest.raises(InputError, match=r"line 2: .* is outside the folder of the files"):
        load_cohort(write_manifest(class_folders, [(file, "dark")]), COHORT_SHAPE)


def test_a_file_has_one_label_and_counts_once(class_folders: Path) -> None:
    rows = rows_of_folder(class_folders)
    twice = load_cohort(write_manifest(class_folders, [*rows, *rows]), COHORT_SHAPE)
    assert len(twice) == len(rows)
    both = [*rows, (rows[0][0], "light")]
    with pytest.raises(InputError, match=r"line 26: dark/0\.png is light, but dark in line 2"):
        load_cohort(write_manifest(class_folders, both), COHORT_SHAPE)
