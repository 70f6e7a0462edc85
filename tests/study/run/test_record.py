"""Records of finished cells are checked before they are used."""

import json
import shutil
from pathlib import Path

import pytest

from straylight.core.errors import InputError
from straylight.core.strict_json import parse_sealed_json, seal_json
from straylight.study.run.record import CELL_FILE, CELLS
from straylight.study.run.status import read_study_status
from straylight.study.run.study import run_study
from straylight.study.run.work import WORK_OF_KIND
from studies import (
    chains,
    counts,
    figures,
    quiet,
    start,
    tiny,
)


def test_a_broken_record_is_told_not_read(tmp_path: Path) -> None:
    cells = chains(3)
    start(tmp_path, cells)
    (tmp_path / CELLS / cells[1].id / CELL_FILE).write_text('{"id": ')
    with pytest.raises(InputError, match=r"is broken .* delete its folder"):
        start(tmp_path, cells)
    shutil.rmtree(tmp_path / CELLS / cells[1].id)
    assert start(tmp_path, cells) == {"done": 3}


def test_a_record_of_another_cell_is_not_taken_for_its_own(tmp_path: Path) -> None:
    cells = chains(3)
    start(tmp_path, cells)
    first, second = (tmp_path / CELLS / cell.id for cell in cells[1:])
    own = (second / CELL_FILE).read_text()
    expected = figures(tmp_path)
    (second / CELL_FILE).write_text((first / CELL_FILE).read_text())
    with pytest.raises(InputError, match=f"it is the record of {cells[1].id}"):
        start(tmp_path, cells)
    del expected[cells[2].id]
    assert figures(tmp_path) == expected  # the others are still in the index
    record = parse_sealed_json(own)
    for odd in ({"perturbations": 7}, {"n": 2**70}, {"n": True}, {"pairs": [[1]]}):
        (second / CELL_FILE).write_text(seal_json(record | {"figures": odd}))
        with pytest.raises(InputError, match="is broken"):
            start(tmp_path, cells)
    (second / CELL_FILE).write_text(own)
    second.rename(tmp_path / "elsewhere")
    second.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="its folder is a link"):
        start(tmp_path, cells)


@pytest.mark.parametrize("unfinished", [False, True])
def test_a_model_that_was_changed_is_not_audited_as_the_same(
    world: Path, undisturbed: Path, tmp_path: Path, unfinished: bool
) -> None:
    study = shutil.copytree(undisturbed, tmp_path / "study")
    (training,) = (study / CELLS).glob("training-*")
    good = (training / "model.json").read_bytes()
    card = json.loads(good)
    card["mean"] = [0.1, 0.2, 0.3]
    (training / "model.json").write_text(json.dumps(card))
    for audited in list((study / CELLS).glob("audit-*"))[1:]:
        shutil.rmtree(audited)
    if unfinished:
        (training / CELL_FILE).unlink()
        training.rename(training.with_name(training.name + ".partial"))
    counted = run_study(
        "Tiny", lambda digests: tiny(world, digests), study, quiet(), work=WORK_OF_KIND
    )
    if unfinished:  # it is trained again
        assert set(counted) == {"done"}
        assert json.loads((training / "model.json").read_bytes())["mean"] != card["mean"]
        assert counts(study) == counts(undisturbed)
        return
    assert counted["failed"] > 0
    (error,) = {error for _, error in read_study_status(study).failed}
    assert "does not hold the model that was trained there" in error
