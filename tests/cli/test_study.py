"""`straylight study`, and its `status`, `tables` and `report`."""

import json
from pathlib import Path

import pytest

from straylight.cli.main import main
from studies import cell_rows, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def undisturbed(world: Path) -> Path:
    """The tiny study, run by the command."""
    study = world / "undisturbed"
    main(["study", str(world / "tiny.toml"), "--out", str(study)])
    return study


def test_status_tables_and_report_from_the_command_line(
    undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["study", "status", str(undisturbed)])
    printed = capsys.readouterr().out
    assert printed.startswith("A tiny study: not running; 4 cells: 4 done.")
    main(["study", "status", str(undisturbed), "--json"])
    assert json.loads(capsys.readouterr().out)["counts"] == {"done": 4}
    main(["study", "tables", str(undisturbed)])
    printed = capsys.readouterr().out
    assert "| 8 | gradient:steps=2 | T1 | 2 |" in printed
    main(["study", "report", str(undisturbed)])
    capsys.readouterr()
    page = (undisturbed / "report.html").read_text()
    assert page.count("<polyline") == 4
    assert all(
        f'href="cells/{row["id"]}/report.html"' in page for row in cell_rows(undisturbed)[1:]
    )


def test_a_failed_cell_ends_the_command_with_1(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (world / "tiny.toml").read_text().replace("test_resnet", "no_such_net")
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(SystemExit) as refused:
        main(["study", str(tmp_path / "bad.toml"), "--out", str(tmp_path / "bad")])
    assert refused.value.code == 1
    printed = capsys.readouterr()
    assert "failed: training levels small: timm has no model 'no_such_net'" in printed.err
    assert "3 blocked, 1 failed. The same command retries the failed cells." in printed.out


@pytest.mark.parametrize("words", [["a=1", "--set", "root=elsewhere"], ["a=1", "root=elsewhere"]])
def test_several_variables_are_given_either_way(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_world(tmp_path / "w") / "tiny.toml"
    file.write_text(file.read_text().replace("[variables]", "[variables]\na = '2'"))
    main(["study", str(file), "--dry-run", "--set", *words])
    assert "Not here: elsewhere/medical/test" in capsys.readouterr().out
