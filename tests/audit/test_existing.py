"""Audits that were killed after audit.json was written: finished, or made again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit_runs import comparable
from straylight.audit.results import Audit
from straylight.audit.run import run
from straylight.core.errors import InputError
from straylight.report.render import write_report
from tiny_audits import (
    SHAPE,
    TINY_PLAN,
    edit_audit,
    raise_interrupt,
    tiny_parts,
)


def test_case_10_an_audit_killed_before_its_report_is_finished_by_the_same_call(
    whole: tuple[Audit, Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, finish=raise_interrupt)
    assert (tmp_path / "unfinished.json").exists()
    written = (tmp_path / "audit.json").read_bytes()
    again = run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, finish=write_report)
    assert comparable(again) == comparable(whole[0])
    assert (tmp_path / "audit.json").read_bytes() == written
    assert (tmp_path / "report.html").exists()
    assert not (tmp_path / "unfinished.json").exists()
    with pytest.raises(InputError, match="already holds an audit"):
        run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, finish=write_report)


def test_case_10_what_was_altered_meanwhile_is_made_again(
    whole: tuple[Audit, Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, finish=raise_interrupt)
    (tmp_path / "photographs.npy").write_bytes(b"x")
    first = whole[0].perturbations[0]
    np.save(tmp_path / first.file, np.zeros((1, *SHAPE), np.float32))
    again = run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, finish=write_report)
    assert comparable(again) == comparable(whole[0])


@pytest.mark.parametrize("part", ["perturbation", "cohort", "preflight"])
def test_an_audit_that_was_changed_before_its_report_is_made_again(
    whole: tuple[Audit, Path], tmp_path: Path, part: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, finish=raise_interrupt)
    written = json.loads((tmp_path / "audit.json").read_text())

    def change(data: dict[str, Any]) -> None:
        if part == "perturbation":
            data["perturbations"][0]["n_backward"] += 1
            data["perturbations"][0]["model_passes"] += 1
        elif part == "cohort":
            data["cohort"]["note"] = "another"
        else:
            data["preflight"] = []

    edit_audit(tmp_path, change)
    again = run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, finish=write_report)
    found = json.loads((tmp_path / "audit.json").read_text())
    assert {k: v for k, v in found.items() if k != "environment"} == {
        k: v for k, v in written.items() if k != "environment"
    }
    assert comparable(again) == comparable(whole[0])
