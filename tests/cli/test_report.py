"""`straylight report`: from the folder of an audit alone."""

import json
from pathlib import Path

import pytest

from commands import one_line_refusal, straylight
from fixed_audit import fixed_audit, write_arrays
from straylight.audit.storage import save_audit
from straylight.report.render import render


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an audit without its report."""
    save_audit(fixed_audit(), write_arrays(tmp_path / "audit"))
    return tmp_path / "audit"


def test_the_report_is_written_again_and_the_audit_stays(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    straylight("report", folder)
    assert str(folder / "report.html") in capsys.readouterr().out.replace("\n", "")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page == render(fixed_audit(), folder)
    (folder / "report.html").write_text("older")
    straylight("report", folder, "--json")
    assert json.loads(capsys.readouterr().out) == json.loads((folder / "audit.json").read_text())
    assert (folder / "report.html").read_text(encoding="utf-8") == page
    (folder / "report.html").unlink()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_without_an_audit_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has no audit.json" in one_line_refusal(capsys, "report", tmp_path)
    assert list(tmp_path.iterdir()) == []
