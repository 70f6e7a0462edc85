"""The command line."""

import errno
import io
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, Any, Union

import tyro
from rich.console import Console

from straylight.cli.commands import (
    AttacksCommand,
    AuditCommand,
    DemoCommand,
    FinetuneCommand,
    PreflightCommand,
    ReportCommand,
    StudyCommand,
    StudyReportCommand,
    StudyStatusCommand,
    StudyTablesCommand,
)
from straylight.cli.output import reserved_output
from straylight.cli.usage_errors import in_one_sentence, suggestion
from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.malloc import keep_freed_memory
from straylight.core.progress import say

Command = (
    AttacksCommand
    | AuditCommand
    | DemoCommand
    | FinetuneCommand
    | PreflightCommand
    | ReportCommand
    | StudyCommand
    | StudyReportCommand
    | StudyStatusCommand
    | StudyTablesCommand
)
COMMANDS: dict[str, type[Command]] = {
    "demo": DemoCommand,
    "audit": AuditCommand,
    "preflight": PreflightCommand,
    "finetune": FinetuneCommand,
    "report": ReportCommand,
    "study": StudyCommand,
    "study status": StudyStatusCommand,
    "study tables": StudyTablesCommand,
    "study report": StudyReportCommand,
    "attacks": AttacksCommand,
}
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of a stream
CONFIG = (tyro.conf.FlagCreatePairsOff,)
DESCRIPTION = """Can somebody who has never seen a medical image break this classifier?

See it, offline, on synthetic images: straylight demo

Train a classifier: straylight finetune --help

Audit it, with a report: straylight audit --help

Run a whole grid of both from one file: straylight study --help

Complete options with the Tab key: source <(straylight --tyro-print-completion bash)
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; end with status 0, or another.

    1: a cell failed, or the output cannot be written; 2: bad input; 130: interrupted; 141: nobody reads
    the output any more.
    """
    keep_freed_memory()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # of a terminal that has few characters
    words = sys.argv[1:] if arguments is None else arguments
    try:
        try:
            run(words, Console(), Console(stderr=True))
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has read enough
        discard_output()
        sys.exit(141)
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename is not None:
            raise
        discard_output()
        say(
            Console(stderr=True),
            f"straylight: the output cannot be written ({reason_of(error)}): the disk may be full.",
            "red",
        )
        sys.exit(1)


def run(words: list[str], out: Console, err: Console) -> None:
    """Run a command; errors of the user's become one sentence."""
    if words[:1] in (["--version"], ["-V"]):
        say(out, f"straylight {version('straylight')}")
        return
    try:
        command = parse(words)
        if getattr(command, "json", False):
            with reserved_output() as file:
                command.run(Console(file=file), err)
        else:
            command.run(out, err)
    except InputError as error:
        say(err, f"straylight: {error}".replace("\n", " "), "red")
        sys.exit(2)
    except KeyboardInterrupt:
        say(err, "straylight: interrupted; the same command goes on from here.", "red")
        sys.exit(130)


def discard_output() -> None:
    """Send what is still to be printed nowhere, so that the end of the process does not trip over it."""
    with suppress(OSError, ValueError, AttributeError):  # where it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parse(arguments: list[str]) -> Command:
    """Read a command; without one, show the list with a line for each.

    Raises:
        InputError: If there is no such command or option, one is missing, or has a value of another kind.
    """
    check_study(arguments)
    for count in (2, 1):
        name = " ".join(arguments[:count])
        if name in COMMANDS:
            return read(name, arguments[count:])
    words = [word for word in arguments if not word.startswith("-")]
    if words and words == arguments[: len(words)]:
        known = [name for name in COMMANDS if " " not in name]
        raise InputError(
            f"there is no command '{quoted(words[0], 40)}'{suggestion(words[0], known)}. "
            f"The commands are {', '.join(known)}."
        )
    lines: Any = Union[  # noqa: UP007 (made at run time)
        tuple(
            Annotated[kind, tyro.conf.subcommand(name, description=summary(kind))]
            for name, kind in COMMANDS.items()
            if " " not in name
        )
    ]
    found: Command = tyro.cli(
        lines, prog="straylight", description=DESCRIPTION, args=arguments, config=CONFIG
    )
    return found


def check_study(arguments: list[str]) -> None:
    """Check that a word behind `study` is its file, and not a mistyped command.

    Raises:
        InputError: If it is like a command, and no file.
    """
    if len(arguments) < 2 or arguments[0] != "study" or arguments[1].startswith("-"):
        return
    word, known = arguments[1], [name[6:] for name in COMMANDS if name.startswith("study ")]
    if word not in known and (meant := suggestion(word, known)) and not os.path.exists(word):
        raise InputError(
            f"study has no command '{quoted(word, 40)}', and there is no such file{meant}."
        )


def read(name: str, arguments: list[str]) -> Command:
    """Read the options of a command."""
    kind, prog = COMMANDS[name], f"straylight {name}"

    def by_tyro() -> Command:
        return tyro.cli(kind, prog=prog, args=arguments, config=CONFIG)

    return in_one_sentence(name, kind, arguments, by_tyro)


def summary(kind: type[Command]) -> str:
    """Return the first line of a command's description."""
    return (kind.__doc__ or "").partition("\n")[0]
