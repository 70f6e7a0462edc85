"""The command line: help, version, exit status."""

import errno
import sys
from io import StringIO

import pytest

from commands import straylight
from straylight.cli.main import main


@pytest.mark.parametrize(
    "command",
    [
        *("", "demo", "audit", "preflight", "finetune", "report", "attacks"),
        *("study", "study status", "study tables", "study report"),
    ],
)
def test_help_teaches_by_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        straylight(*command.split(), "--help")
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    example = printed.partition("For example:")[2] if command else printed
    assert f"straylight {command or 'demo'}" in example


class Unwritable(StringIO):
    """A stream that cannot be written to."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, _: str, /) -> int:
        raise OSError(self.number, "No space left on device")


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (errno.ENOSPC, 1, "straylight: the output cannot be written (No space left on device): "),
        (errno.EPIPE, 141, ""),
    ],
)
def test_an_output_that_cannot_be_written_ends_in_no_traceback(
    number: int,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", Unwritable(number))
    with pytest.raises(SystemExit) as ended:
        main(["attacks", "--json"])
    assert ended.value.code == status
    assert capsys.readouterr().err.startswith(said)
