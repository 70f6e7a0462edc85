"""A usage error is one sentence that says what was meant."""

from pathlib import Path

import pytest

import straylight
from commands import one_line_refusal, refusal
from straylight.cli.main import main

AUDIT = ("audit", "--model", "no-such", "--natural", "a", "--cohort", "b", "--out", "c")


def test_the_command_line_says_what_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for option in ("--version", "-V"):
        main([option])
        assert capsys.readouterr().out == f"straylight {straylight.__version__}\n"
    for words, message in {
        ("audit", "--modle", "x"): "audit has no option --modle: perhaps you meant --model.",
        ("audit", "--xyzzy"): "audit has no option --xyzzy. See straylight audit --help.",
        ("audti",): "there is no command 'audti': perhaps you meant audit.",
        ("audit",): "audit needs --model, --cohort, --natural, --out.",
        ("study",): "study needs FILE.",
        ("demo", "--seed", "1.5"): "--seed must be a whole number, not '1.5'.",
        ("demo", "--seed"): "Missing value for argument '--seed'.",
        ("demo", "--force=3"): "3 cannot be placed: give each value after its option.",
        ("report", "a", "b"): "b cannot be placed",
        ("study", "--dry_rum", "x"): "perhaps you meant --dry-run",
        (*AUDIT, "--norm", "l3"): "invalid choice 'l3' for argument '--norm'.",
        ("demo", "--\x1b[31m"): "demo",
    }.items():
        assert message in one_line_refusal(capsys, *words)


BUDGET = (
    "audit",
    "--model",
    "m",
    "--natural",
    "a",
    "--cohort",
    "b",
    "--out",
    "c",
    "--norm",
    "linf",
)


def test_words_that_are_nearly_right(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refusal(capsys, *BUDGET, "--eps-levels", "8/255")
    assert "8/255 is --eps 8/255, or --eps-levels 8" in said
    monkeypatch.chdir(tmp_path)
    said = refusal(capsys, "study", "staus", "x")
    assert (
        "study has no command 'staus', and there is no such file: perhaps you meant status" in said
    )
    said = refusal(capsys, *BUDGET, "--eps", "0.1", "--method", f"gradient:steps={'9' * 20}")
    assert f"gradient:steps must be a whole number of at most {2**53}" in said
    Path("own_settings.py").write_text(
        "class Own:\n"
        "    threat_model, takes_target = 'T1', False\n"
        "    def __init__(self, steps: int = 1): self.steps = steps\n"
        "    def planned(self, n, classes, cost=2): return 1\n"
        "    def __call__(self, model, images, ball, *, target, generator): ...\n"
    )
    own = "python:own_settings:Own"
    said = refusal(capsys, *BUDGET, "--eps", "0.1", "--method", f"{own}:steps=3,steps=4")
    assert f"{own} has the setting 'steps' twice: give it once" in said
    said = refusal(capsys, *BUDGET, "--eps", "0.1", "--method", f"{own}:steps={'9' * 20}")
    assert f"{own}:steps must be a whole number of at most {2**53}" in said
