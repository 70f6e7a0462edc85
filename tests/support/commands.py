"""The command line, called in-process."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from straylight.cli.main import main


def straylight(*arguments: object) -> None:
    main([str(argument) for argument in arguments])


def audit_words(root: Path, out: Path, *extra: object) -> list[object]:
    return [
        "audit", "--model", root / "model", "--natural", root / "photos",
        "--cohort", root / "medical", "--zeta", 0.1, "--method", "gradient:steps=2",
        "--control-seeds", 1, "--out", out, *extra,
    ]  # fmt: skip


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        straylight(*arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    assert printed.err.count("straylight: ") == 1
    return printed.err.strip()


def one_line_refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return the message of a command that is refused; it is all that is printed."""
    message = refusal(capsys, *words)
    assert message.startswith("straylight: ")
    assert message.count("\n") == 0
    assert len(message) <= 400
    return message


def printed(console: Callable[[Console], object]) -> str:
    """Return what is printed on a wide terminal."""
    stream = StringIO()
    console(Console(file=stream, force_terminal=True, width=200, color_system=None))
    return stream.getvalue()
