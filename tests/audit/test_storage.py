"""audit.json: read back as it was written, refused if it is broken or too large."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from straylight.audit.results import Audit
from straylight.audit.storage import check_audit_size, load_audit, save_audit
from straylight.core.errors import InputError
from straylight.report.render import write_report
from tiny_audits import edit_audit


def test_an_audit_read_back_is_the_same(finished: tuple[Audit, Path]) -> None:
    audit, out = finished
    assert json.dumps(load_audit(out).to_json()) == json.dumps(audit.to_json())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"has no audit\.json"),
        ("{", "cannot be read as JSON"),
        ("[]", "does not follow straylight.audit/1 at the top"),
        ('{"schema": "straylight.audit/1"}', "does not follow straylight.audit/1 at the top"),
    ],
)
def test_broken_audits_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "audit.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load_audit(tmp_path)


def test_a_tampered_audit_is_refused(finished: tuple[Audit, Path], tmp_path: Path) -> None:
    """A file name that leaves the folder never reaches the reader of files."""
    data = json.loads((finished[1] / "audit.json").read_text())
    data["perturbations"][0]["file"] = "../../etc/passwd"
    (tmp_path / "audit.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="at perturbations/0/file"):
        load_audit(tmp_path)


def test_an_older_audit_without_digests_is_still_read(copied: Path) -> None:
    data = json.loads((copied / "audit.json").read_text())
    for item in data["perturbations"]:
        del item["sha256"]
    del data["natural"]["examples_sha256"], data["cohort"]["examples"]["sha256"]
    del data["environment"]["fingerprint"]
    (copied / "audit.json").write_text(json.dumps(data))
    write_report(copied)
    assert json.loads(json.dumps(load_audit(copied).to_json())) == data


def test_an_audit_that_no_reader_would_take_is_not_begun() -> None:
    names = tuple(f"class {k}" for k in range(100))
    check_audit_size(412, names, 10_000, points=0, skipped=())
    check_audit_size(9, names, 10_000, points=0, skipped=(("a.png", "broken"),) * 50_000)
    for n, many, files in ((2049, names, 0), (412, names * 2, 0), (9, names, 40_000)):
        with pytest.raises(InputError, match="do not fit into one audit"):
            check_audit_size(n, many, 10_000, points=0, skipped=(("a" * 1_000, "broken"),) * files)


def test_what_would_not_be_read_is_not_written(whole: tuple[Audit, Path], tmp_path: Path) -> None:
    wrong = replace(whole[0], natural=replace(whole[0].natural, n_distinct=10**6))
    with pytest.raises(InputError, match="the audit cannot be written: natural/n_distinct exceeds"):
        save_audit(wrong, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_case_16_many_files_left_out_are_read_quickly(copied: Path) -> None:
    many = [{"file": f"{k}.png", "reason": "broken"} for k in range(100_000)]
    edit_audit(copied, lambda data: data["cohort"].update(skipped=many))
    started = time.process_time()
    assert load_audit(copied).cohort.skipped == tuple(many)
    assert time.process_time() - started < 2
