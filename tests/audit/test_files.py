"""Files in the folder of an audit: none is overwritten, and nothing is written through a link."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit_runs import PLAN, QUICK
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.audit.run import run
from straylight.audit.storage import load_audit
from straylight.cli.main import main
from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.report.render import write_report
from tiny_audits import TINY_PLAN, edit_audit, tiny_parts


def test_nothing_is_overwritten_without_force(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    quick = replace(PLAN, methods=(Gradient(steps=1),), targets=(), control_seeds=1)
    (tmp_path / "mine.txt").write_text("keep")
    run(quick, *parts, tmp_path)
    before = (tmp_path / "audit.json").read_bytes()
    with pytest.raises(InputError, match="already holds an audit: use --force"):
        run(quick, *parts, tmp_path)
    assert (tmp_path / "audit.json").read_bytes() == before
    run(replace(quick, seed=1), *parts, tmp_path, force=True)
    assert load_audit(tmp_path).perturbations[0].seed == 1
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_force_leaves_nothing_of_the_audit_before(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    adapted = Method(Gradient(steps=1), "adapted")
    plan = replace(PLAN, methods=(adapted,), targets=(), adaptation=QUICK, control_seeds=1)
    run(plan, *parts, tmp_path, show_images=True)
    run(replace(plan, methods=(Gradient(steps=1),)), *parts, tmp_path, force=True)
    found = sorted(file.name for file in tmp_path.iterdir())
    assert found == ["audit.json", "perturbations", "photographs.npy"]


def test_case_8b_a_report_is_not_drawn_from_other_files(copied: Path) -> None:
    names = [json.loads((copied / "audit.json").read_text())["perturbations"][0]["file"]]
    for name in [*names, "photographs.npy", "examples.npy"]:
        good = (copied / name).read_bytes()
        np.save(copied / name, np.load(copied / name)[..., ::-1])
        with pytest.raises(InputError, match="its digest differs"):
            write_report(copied)
        (copied / name).write_bytes(good)
    write_report(copied)


def test_case_9_planted_links_lead_nowhere(copied: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("report.html.partial", "report.html"):
        (copied / name).unlink(missing_ok=True)
        (copied / name).symlink_to(victim)
    main(["report", str(copied), "--json"])
    assert victim.read_text() == "precious"
    assert not (copied / "report.html").is_symlink()
    assert "<html" in (copied / "report.html").read_text()


def test_case_9_a_folder_that_is_a_link_is_not_written_into(tmp_path: Path) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    (elsewhere / "00-gradient.npy").write_text("precious")
    (out / "perturbations").symlink_to(elsewhere)
    with pytest.raises(InputError, match="perturbations is a link, and nothing is written through"):
        run(TINY_PLAN, *tiny_parts(), out)
    (out / "audit.json").write_text("{}")
    run(TINY_PLAN, *tiny_parts(), out, force=True)
    assert [file.read_text() for file in elsewhere.iterdir()] == ["precious"]
    assert not (out / "perturbations").is_symlink()


def test_force_removes_only_what_an_audit_wrote(copied: Path) -> None:
    mine = [
        copied / "perturbations" / "mynotes.txt",
        copied / "predictions" / "labels.npy",
        copied / "predictions" / "00-x.npy" / "a.txt",
    ]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    (copied / "perturbations" / "07-older.npy").write_text("of another audit")
    run(TINY_PLAN, *tiny_parts(), copied, force=True)
    assert [path.read_text() for path in mine] == ["precious"] * 3
    assert not (copied / "perturbations" / "07-older.npy").exists()


@pytest.mark.parametrize("name", ["audit.json", "photographs.npy", "perturbation"])
@pytest.mark.parametrize("kind", ["pipe", "zero", "folder", "nowhere", "large"])
def test_case_13_pipes_and_devices_are_refused_at_once(
    copied: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copied / name
    if name == "perturbation":
        path = copied / load_audit(copied).perturbations[0].file
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        with path.open("wb") as stream:
            stream.truncate(2**40)
    else:
        path.symlink_to("/dev/zero" if kind == "zero" else "/nowhere")
    started = time.process_time()
    with pytest.raises(SystemExit) as ended:
        main(["report", str(copied)])
    assert ended.value.code == 2
    assert time.process_time() - started < 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert path.name in printed.err


def test_the_size_of_a_perturbation_must_be_that_of_its_file(copied: Path) -> None:
    edit_audit(copied, lambda data: data["perturbations"][0].update(linf=0.5))
    with pytest.raises(InputError, match=r"but the audit recorded 0\.5"):
        write_report(copied)
