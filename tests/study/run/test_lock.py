"""One process runs a study at a time."""

import os
import signal
import time
from pathlib import Path

import pytest

from straylight.audit.schema import Json
from straylight.core.errors import InputError
from straylight.core.progress import Tracker
from straylight.study.run.cell import Cell
from straylight.study.run.lock import lock_study
from straylight.study.run.status import read_study_status
from studies import chains, ended, in_child, start


def test_two_studies_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    study = tmp_path / "study"

    def slow(cell: Cell, folder: Path, root: Path, tracker: Tracker) -> Json:
        (tmp_path / "begun").touch()
        time.sleep(60)
        return {}

    child = in_child(lambda: start(study, chains(3), slow))
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    try:
        assert read_study_status(study).is_running
        assert read_study_status(study).running == ["chain c0 seed 0"]
        with pytest.raises(InputError, match="another process runs a study in"):
            start(study, chains(3))
    finally:
        os.kill(child, signal.SIGKILL)
        ended(child)
    status = read_study_status(study)
    assert (status.is_running, status.counts) == (False, {"waiting": 2, "interrupted": 1})
    assert "interrupted: chain c0 seed 0" in status.lines()
    assert start(study, chains(3)) == {"done": 3}
    with lock_study(study):
        pass


def test_a_lock_that_is_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(InputError, match="cannot be used as a lock"):
        start(tmp_path, chains(1))
