"""Standard output: JSON that stays JSON, errors in one line, and the command as typed."""

import io
import json
import shlex
import subprocess
import sys

import pytest
from rich.console import Console

from straylight.cli.output import command_line, print_error, print_json

NOISY = """
import os, subprocess, sys
from straylight.cli.output import reserved_output
with reserved_output() as out:
    print("from python")
    os.write(1, b"from c\\n")
    subprocess.run(["echo", "from a child"], check=True)
    out.write("{}\\n")
print("after")
"""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_whatever_a_model_prints_goes_to_standard_error() -> None:
    done = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True, check=True)
    assert done.stdout == "{}\nafter\n"
    assert set(done.stderr.splitlines()) == {"from python", "from c", "from a child"}


def test_json_is_neither_wrapped_nor_coloured() -> None:
    data = {"a": "[red]x[/red] " * 50, "b": [1, 2.5, None], "c": "\x1b[31m\u202e"}
    stream = io.StringIO()
    print_json(Console(file=stream, width=20, force_terminal=True), data)
    assert json.loads(stream.getvalue()) == data
    assert stream.getvalue().isascii()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"),
    [(True, None, True), (True, "1", False), (True, "", False), (False, None, False)],
)
def test_an_error_is_one_line_and_red_on_a_terminal_alone(
    terminal: bool, no_color: str | None, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    print_error("a\x1b[2Jb\nc \u2068\u05d0\u2069")
    line = "straylight: a\\x1b[2Jb c \u05d0"
    assert stream.getvalue() == (f"\x1b[31m{line}\x1b[0m\n" if coloured else f"{line}\n")


def test_without_standard_error_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    print_error("nobody hears it")


def test_the_command_can_be_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["audit", "--model", "my model's", "--note", "$HOME `x` *", "--out", "é", ""]
    monkeypatch.setattr(sys, "argv", ["/usr/bin/straylight", *words])
    assert shlex.split(command_line()) == ["straylight", *words]
    monkeypatch.setattr(sys, "argv", ["straylight", "a\x1b[2J", "x" * 10**6])
    assert command_line().isprintable()
    assert len(command_line()) <= 2**16
