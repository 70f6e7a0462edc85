"""`straylight demo`."""

import json
from pathlib import Path

import pytest

from commands import straylight
from fixed_audit import fixed_audit
from straylight.audit.results import Audit

AUDIT = fixed_audit()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What the demo is called with; it takes no time here."""
    calls: list[dict[str, object]] = []

    def run_demo(out: Path, **settings: object) -> dict[str, Audit]:
        print("a library says something")
        calls.append({"out": out, **settings})
        return {"transfer": AUDIT, "scratch": AUDIT}

    monkeypatch.setattr("straylight.demo.run.run_demo", run_demo)
    return calls


def test_its_audits_are_printed_with_their_notes(
    given: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    straylight("demo")
    printed = capsys.readouterr().out
    for name in ("transfer", "scratch"):
        assert f"\n{name}: {AUDIT.cohort.note}\n" in printed
        assert str(Path("straylight-demo") / name / "report.html") in printed.replace("\n", "")
    (call,) = given
    assert (call["out"], call["seed"], call["force"]) == (Path("straylight-demo"), 0, False)


def test_json_is_for_machines(
    given: list[dict[str, object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straylight("demo", "--out", tmp_path, "--seed", 7, "--force", "--json")
    printed = capsys.readouterr()
    written = json.loads(json.dumps(AUDIT.to_json()))
    assert json.loads(printed.out) == {"transfer": written, "scratch": written}
    assert "a library says something" in printed.err
    (call,) = given
    assert (call["out"], call["seed"], call["force"]) == (tmp_path, 7, True)
