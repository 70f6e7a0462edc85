"""A dry run lists the cells and their expected cost."""

import re
from pathlib import Path

import pytest

from paths import ROOT
from straylight.cli.main import main
from studies import make_world


@pytest.mark.parametrize("name", ["minagi2022", "minagi2022-small"])
def test_the_shipped_studies_are_understood(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = ROOT / "studies" / f"{name}.toml"
    main(["study", str(file), "--dry-run"])
    printed = capsys.readouterr().out
    trainings, audits = re.findall(r"all (\d+) cells of kind", printed)
    said = re.search(r"# In all: (\d+) trainings and (\d+) audits", file.read_text())
    assert said is not None
    assert said.groups() == (trainings, audits)


def test_a_dry_run_lists_cells_and_what_they_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(tmp_path / "w")
    main(["study", str(world / "tiny.toml"), "--dry-run", "--set", "root=elsewhere"])
    lines = capsys.readouterr().out.splitlines()
    # 1 epoch: 14 images forwards and backwards, 2 held out forwards; 100 passes a second.
    assert lines[1].split() == ["30", "0", "s", "training", "levels", "small"]
    # Two runs of 2 steps of 32: 2 * 64 passes and 4 photographs each; 2 * 2 + 4 perturbations scored
    # twice, and once without, on 20 images.
    passes = 2 * (128 + 4) + (2 * (2 * 2 + 4) + 1) * 20
    assert lines[2].split()[:3] == [str(passes), "2", "s"]
    assert lines[-1].startswith("Not here: elsewhere/medical/test, elsewhere/medical/train")
    assert not (tmp_path / "tiny").exists()
