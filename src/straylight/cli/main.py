"""The command line."""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Annotated, Any, Union

import tyro

from straylight.cli.commands import COMMANDS, Command
from straylight.cli.default_checks import use_cheap_default_checks
from straylight.cli.output import print_error, reserved_output
from straylight.cli.usage_errors import explain_usage_errors, suggest_word
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.malloc import keep_freed_memory

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # errors of a stream
CONFIG = (tyro.conf.FlagCreatePairsOff,)
DESCRIPTION = """Can somebody who has never seen a medical image break this classifier?

See it offline, on synthetic images: straylight demo

Train a classifier: straylight finetune --help

Audit a classifier and write a report: straylight audit --help

Run a whole grid of trainings and audits: straylight study --help

Complete options with the Tab key: source <(straylight --tyro-print-completion bash)
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    Exit status: 0: success; 1: a cell of a study failed, or the output cannot be written; 2: bad input;
    130: interrupted; 141: the reader of the output has closed it.
    """
    keep_freed_memory()
    use_cheap_default_checks()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for terminals with few characters
    words = sys.argv[1:] if arguments is None else arguments
    try:
        try:
            run_command(words)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has read enough
        _discard_output()
        sys.exit(141)
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename is not None:
            raise
        _discard_output()
        print_error(f"the output cannot be written ({reason_of(error)}): the disk may be full.")
        sys.exit(1)


def run_command(words: list[str]) -> None:
    """Run a command; print a user error as one sentence."""
    if words[:1] in (["--version"], ["-V"]):
        from importlib.metadata import version

        print(f"straylight {version('straylight')}")
        return
    try:
        command = parse_command(words)
        from rich.console import Console

        err = Console(stderr=True)
        if getattr(command, "json", False):
            with reserved_output() as file:
                command.run(Console(file=file), err)
        else:
            command.run(Console(), err)
    except InputError as error:
        print_error(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        print_error("interrupted; run the same command again to resume.")
        sys.exit(130)


def _discard_output() -> None:
    """Discard output that is still buffered, so that the end of the process does not fail on it."""
    with suppress(OSError, ValueError, AttributeError):  # where it is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parse_command(arguments: list[str]) -> Command:
    """Parse a command with its options; without a command, print the list of commands and exit.

    Raises:
        InputError: If a command or option is unknown, missing, or has a value of the wrong type.
    """
    _check_study_word(arguments)
    for count in (2, 1):
        name = " ".join(arguments[:count])
        if name in COMMANDS:
            return _parse_options(name, arguments[count:])
    words = [word for word in arguments if not word.startswith("-")]
    if words and words == arguments[: len(words)]:
        known = [name for name in COMMANDS if " " not in name]
        raise InputError(
            f"there is no command '{quote_text(words[0], 40)}'{suggest_word(words[0], known)}. "
            f"The commands are {', '.join(known)}."
        )
    lines: Any = Union[  # noqa: UP007 (made at run time)
        tuple(
            Annotated[kind, tyro.conf.subcommand(name, description=_first_doc_line(kind))]
            for name, kind in COMMANDS.items()
            if " " not in name
        )
    ]
    found: Command = tyro.cli(
        lines, prog="straylight", description=DESCRIPTION, args=arguments, config=CONFIG
    )
    return found


def _check_study_word(arguments: list[str]) -> None:
    """Check that the word after `study` is a file, and not a mistyped command.

    Raises:
        InputError: If it resembles a command and is not a file.
    """
    if len(arguments) < 2 or arguments[0] != "study" or arguments[1].startswith("-"):
        return
    word, known = arguments[1], [name[6:] for name in COMMANDS if name.startswith("study ")]
    if word not in known and (meant := suggest_word(word, known)) and not os.path.exists(word):
        raise InputError(
            f"study has no command '{quote_text(word, 40)}', and there is no such file{meant}."
        )


def _parse_options(name: str, arguments: list[str]) -> Command:
    """Parse the options of a command."""
    kind, prog = COMMANDS[name], f"straylight {name}"

    def by_tyro() -> Command:
        return tyro.cli(kind, prog=prog, args=arguments, config=CONFIG)

    return explain_usage_errors(name, kind, arguments, by_tyro)


def _first_doc_line(kind: type[Command]) -> str:
    """Return the first line of a command's docstring."""
    return (kind.__doc__ or "").partition("\n")[0]
