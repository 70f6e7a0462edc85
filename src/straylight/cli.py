"""The command line."""

import sys
from importlib.metadata import version
from typing import Annotated, Any, Union

import tyro
from rich.console import Console

from straylight.commands import (
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
from straylight.commands.mistakes import in_one_sentence, suggestion
from straylight.errors import InputError, quoted
from straylight.memory import keep_freed_memory

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
CONFIG = (tyro.conf.FlagCreatePairsOff,)
DESCRIPTION = """Can somebody who has never seen a medical image break this classifier?

See it, offline, on synthetic images: straylight demo

Train a classifier: straylight finetune --help

Audit it, with a report: straylight audit --help

Run a whole grid of both from one file: straylight study --help

Complete options with the Tab key: source <(straylight --tyro-print-completion bash)
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends with status 0, 1 (a cell failed), 2 (bad input) or 130 (interrupted)."""
    keep_freed_memory()
    out, err = Console(), Console(stderr=True)
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] in (["--version"], ["-V"]):
        out.print(f"straylight {version('straylight')}", highlight=False)
        return
    try:
        parse(words).run(out, err)
    except InputError as error:
        err.print(
            f"straylight: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("straylight: interrupted; the same command goes on from here.", style="red")
        sys.exit(130)


def parse(arguments: list[str]) -> Command:
    """Read a command; without one, show the list with a line for each.

    Raises:
        InputError: If there is no such command or option, one is missing, or has a value of another kind.
    """
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


def read(name: str, arguments: list[str]) -> Command:
    """Read the options of a command."""
    kind, prog = COMMANDS[name], f"straylight {name}"

    def by_tyro() -> Command:
        return tyro.cli(kind, prog=prog, args=arguments, config=CONFIG)

    return in_one_sentence(name, kind, arguments, by_tyro)


def summary(kind: type[Command]) -> str:
    """Return the first line of a command's description."""
    return (kind.__doc__ or "").partition("\n")[0]
