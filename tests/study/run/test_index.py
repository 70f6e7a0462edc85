"""The index of a study is built from its cells, and refused if it is strange."""

import re
import resource
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from paths import ROOT
from straylight.audit.schema import Json
from straylight.core.errors import InputError
from straylight.core.progress import Tracker
from straylight.study.report.aggregate import read_aggregate_rows
from straylight.study.run.cell import Cell
from straylight.study.run.index import INDEX, StudyIndex
from straylight.study.run.status import read_study_status
from studies import (
    chains,
    ended,
    figures,
    in_child,
    start,
)


def test_a_full_disk_under_the_index_is_told(tmp_path: Path, told: Path) -> None:
    def with_no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**10, 2**10))
        start(tmp_path / "study", chains(6))

    assert ended(in_child(with_no_room)) == 3
    assert "index.sqlite cannot be used" in told.read_text()
    assert start(tmp_path / "study", chains(6)) == {"done": 6}


def test_the_index_is_made_again_from_the_cells(tmp_path: Path) -> None:
    cells = chains(6)
    start(tmp_path, cells)
    expected = figures(tmp_path)
    (tmp_path / INDEX).unlink()
    with pytest.raises(InputError, match=r"has no index\.sqlite"):
        read_study_status(tmp_path)

    def never(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
        raise AssertionError

    assert start(tmp_path, cells, never) == {"done": 6}
    assert figures(tmp_path) == expected


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("CREATE VIEW v AS SELECT 1", "it holds the view 'v'"),
        ("CREATE TRIGGER t AFTER UPDATE ON cells BEGIN DELETE FROM cells; END", "the trigger 't'"),
        ("ALTER TABLE cells ADD COLUMN x", "it holds the table 'cells'"),
        ("UPDATE perturbations SET n_fooled = n + 1", "its n_fooled exceeds its"),
        ("UPDATE perturbations SET n = 'many'", "its n is many, which is not a count"),
        ("UPDATE pairs SET only_attack = 1000000000000", "counts more images than there are"),
        ("DELETE FROM pairs", "is not an index that a study wrote"),
    ],
)
def test_a_strange_index_is_refused(
    undisturbed: Path, tmp_path: Path, spoil: str, said: str
) -> None:
    shutil.copy(undisturbed / INDEX, tmp_path / INDEX)
    base = sqlite3.connect(tmp_path / INDEX)
    base.execute(spoil)
    base.commit()
    base.close()
    with pytest.raises(InputError, match=said):
        read_aggregate_rows(tmp_path)


def test_the_snippet_of_the_documents_reads_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("runs/small").mkdir(parents=True)
    index = StudyIndex(Path("runs/small/index.sqlite"), write=True)
    cell = Cell(kind="audit", identity={"a": 1}, labels={"cohort": "skin", "seed": 7})
    index.begin("One", [cell])
    index.close()
    with sqlite3.connect("runs/small/index.sqlite") as base:
        base.execute("INSERT INTO perturbations (cell, name, n) VALUES (?, 'auto', 3)", (cell.id,))
    base.close()
    *lines, last = code.strip().split("\npandas.read_sql")
    scope: dict[str, Any] = {}
    exec(f"{lines[0]}\nframe = pandas.read_sql{last}\nindex.close()", scope)
    frame = scope["frame"]
    assert frame.columns.is_unique
    assert frame[["cohort", "seed", "name", "n"]].values.tolist() == [["skin", 7, "auto", 3]]
