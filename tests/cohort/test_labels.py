"""Labels with several findings, by hand: one finding of them, all of them, and what has no one meaning."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from straylight.cli.main import main
from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.errors import InputError

SHAPE = (1, 8, 8)
# As NIH ChestX-ray14 writes them.
LISTS = [
    "Cardiomegaly",
    "Cardiomegaly|Effusion",
    "No Finding",
    "Effusion",
    "",
    "Hernia|Cardiomegaly",
    "no finding",
    "Hernia",
]
EFFUSION = [0, 1, 0, 1, 0, 0, 0, 0]
KNOWN = ("no finding", "Effusion", "Hernia", "Cardiomegaly")
ALL = {0: 3, 2: 0, 3: 1, 4: 0, 6: 0, 7: 2}  # images 1 and 5 have several
MODEL = """
import torch
class Findings(torch.nn.Module):
    def forward(self, x):
        level = x.mean((1, 2, 3))
        return torch.stack([level - 0.5, 0.1 - level, level - 0.8], 1).mul(20).sigmoid()
"""


def brightness(cohort: Cohort) -> list[int]:
    return [int(level) for level in cohort.images.pixels[:, 0, 0, 0]]


def write(folder: Path, labels: list[str]) -> Path:
    """A manifest of images whose grey level is 30 times their number."""
    folder.mkdir(exist_ok=True)
    for number in range(len(labels)):
        Image.new("L", (8, 8), 30 * number).save(folder / f"{number}.png")
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "label"), *zip(names(labels), labels, strict=True)])
    return folder / "labels.csv"


def names(labels: list[str]) -> list[str]:
    return [f"{number}.png" for number in range(len(labels))]


def table(columns: list[str]) -> np.ndarray:
    """The same findings as one column each."""
    return np.array([[name in label.split("|") for name in columns] for label in LISTS], np.uint8)


def arrays(path: Path, labels: np.ndarray, columns: list[str] | None = None) -> Path:
    images = np.zeros((len(labels), 8, 8), np.uint8)
    images += 30 * np.arange(len(labels), dtype=np.uint8)[:, None, None]
    named = {} if columns is None else {"class_names": np.array(columns)}
    np.savez(path, images=images, labels=labels, **named)
    return path


def test_one_finding_of_a_list(tmp_path: Path) -> None:
    cohort = load_cohort(write(tmp_path, LISTS), SHAPE, ("no Effusion", "Effusion"))
    assert cohort.labels.tolist() == EFFUSION
    assert cohort.images.skipped == ()


def test_all_findings_leave_out_images_with_several_and_say_so(tmp_path: Path) -> None:
    (write(tmp_path, LISTS).parent / "3.png").write_text("broken")
    cohort = load_cohort(tmp_path / "labels.csv", SHAPE, KNOWN)
    expected = {k: label for k, label in ALL.items() if k != 3}
    assert cohort.labels.tolist() == list(expected.values())
    assert brightness(cohort) == [30 * k for k in expected]
    assert [(item.file, item.reason) for item in cohort.images.skipped[1:]] == [
        ("1.png", "several findings: Effusion, Cardiomegaly"),
        ("5.png", "several findings: Hernia, Cardiomegaly"),
    ]
    assert cohort.images.skipped[0].file == "3.png"


def test_columns_and_lists_are_the_same_labels(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    manifest = write(tmp_path, LISTS)
    lists = [[p for p in label.split("|") if p and p.lower() != "no finding"] for label in LISTS]
    rows = pa.table({"file": names(LISTS), "label": pa.array(lists, pa.list_(pa.string()))})
    parquet.write_table(rows, tmp_path / "labels.parquet")
    columns = ["Hernia", "Cardiomegaly", "Effusion"]  # in an order of their own
    ways = [
        manifest,
        tmp_path / "labels.parquet",
        arrays(tmp_path / "named.npz", table(columns), columns),
        arrays(tmp_path / "texts.npz", np.array(LISTS)),
    ]
    unnamed = arrays(tmp_path / "unnamed.npz", table(list(KNOWN[1:])))
    for way in [*ways, unnamed]:
        cohort = load_cohort(way, SHAPE, KNOWN)
        assert dict(zip(brightness(cohort), cohort.labels.tolist(), strict=True)) == {
            30 * k: label for k, label in ALL.items()
        }
        assert len(cohort.images.skipped) == 2
    for way in ways:
        assert load_cohort(way, SHAPE, ("no Effusion", "Effusion")).labels.tolist() == EFFUSION


def test_labels_that_are_classes_stay_classes(tmp_path: Path) -> None:
    pair = ("no mass", "mass")
    words = write(tmp_path / "words", ["mass", "no mass", "mass"])
    assert load_cohort(words, SHAPE, pair).labels.tolist() == [1, 0, 1]
    one_hot = np.eye(2, dtype=int)[[1, 0, 1]]
    assert load_cohort(arrays(tmp_path / "a.npz", one_hot), SHAPE, pair).labels.tolist() == [
        1,
        0,
        1,
    ]
    one_hot = np.eye(4, dtype=int)[[3, 0, 1]]
    assert load_cohort(arrays(tmp_path / "b.npz", one_hot), SHAPE, KNOWN).labels.tolist() == [
        3,
        0,
        1,
    ]
    named = arrays(tmp_path / "c.npz", one_hot, list(KNOWN))
    assert load_cohort(named, SHAPE, KNOWN).labels.tolist() == [3, 0, 1]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (
            ["Efusion", "Hernia"],
            ("no Effusion", "Effusion"),
            "no image with Effusion, only with Efusion, H",
        ),
        (
            ["", "No Finding"],
            ("no Effusion", "Effusion"),
            "no image with Effusion, only with no finding",
        ),
        (["Mass"], KNOWN, "has the finding Mass, which the model does not know"),
        (
            ["No Finding|Hernia"],
            KNOWN,
            "'No Finding.Hernia', which has both a finding and no finding",
        ),
        (["Hernia|Effusion"], KNOWN, "every image of .* has several findings: audit one"),
        (["no mass", "mass", "edema"], ("no mass", "mass"), "has the class edema"),
        (["no mass", "mass", ""], ("no mass", "mass"), "has the class of no name"),
        (["a", "a|b"], ("a", "b"), "has the class a.b, which the model does not know"),
        (["a", "a|b"], None, "the label 'a.b': a classifier is trained on one label"),
        (["a", ""], ("a", "b"), "line 3: both file and label must be given"),
    ],
)
def test_lists_without_one_meaning_are_refused(
    tmp_path: Path, labels: list[str], classes: tuple[str, ...] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_cohort(write(tmp_path, labels), SHAPE, classes)


@pytest.mark.parametrize(
    ("labels", "columns", "classes", "message"),
    [
        ([[1, 0, 1]], None, ("no mass", "mass"), "has 3 columns of labels without names"),
        ([[1, 1], [0, 1]], None, ("no mass", "mass"), "has 2 columns of labels without names"),
        ([[1, 0]], ["a", "b"], ("no mass", "mass"), "2 columns of labels named a, b; .* are mass"),
        ([[1, 0]], ["Hernia", "Mass"], KNOWN, "named Hernia, Mass; .* are Effusion, Hernia"),
        ([[1, -1, 0]], None, KNOWN, "give 0 or 1 for each"),
        (
            [[1, 1, 0]],
            None,
            ("a", "b", "c"),
            "not one-hot: images with several findings need a model",
        ),
    ],
)
def test_columns_without_one_meaning_are_refused(
    tmp_path: Path,
    labels: list[list[int]],
    columns: list[str] | None,
    classes: tuple[str, ...],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        load_cohort(arrays(tmp_path / "a.npz", np.array(labels), columns), SHAPE, classes)


def test_all_findings_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Levels 0 to 210: the model says Hernia below 26, Cardiomegaly from 128, Effusion never first."""
    monkeypatch.chdir(tmp_path)
    Path("own_findings.py").write_text(MODEL)
    labels = ["Hernia", "", "", "No Finding", "Hernia|Effusion", *["Cardiomegaly"] * 3]
    words = ["preflight", "--model", "python:own_findings:Findings", "--finding", "all"]
    words += ["--classes", "Cardiomegaly", "Hernia", "Effusion", "--size", "8", "--grey"]
    words += ["--mean", "0", "--std", "1", "--cohort", str(write(tmp_path, labels))]
    main(words)
    said = capsys.readouterr()
    assert "skipped 4.png: several findings: Hernia, Effusion" in said.err
    assert "1 files of" in said.err
    assert "predicts several findings; the strongest of all" in said.out
    assert "has no image of Effusion:" in said.out
    assert "accuracy" not in said.out  # all seven are right


def test_other_columns_hold_lists_too(tmp_path: Path) -> None:
    manifest = write(tmp_path, LISTS)
    manifest.write_text(manifest.read_text().replace("file,label", "Image,Finding Labels"))
    reading = Reading(file="Image", label="Finding Labels")
    cohort = load_cohort(manifest, SHAPE, ("no Effusion", "Effusion"), reading=reading)
    assert cohort.labels.tolist() == EFFUSION
