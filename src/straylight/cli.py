"""The command line."""

import sys
from typing import Annotated

import tyro
from rich.console import Console

from straylight.commands import (
    AttacksCommand,
    AuditCommand,
    DemoCommand,
    FinetuneCommand,
    ReportCommand,
)
from straylight.errors import InputError
from straylight.memory import keep_freed_memory

Command = (
    Annotated[DemoCommand, tyro.conf.subcommand("demo")]
    | Annotated[AuditCommand, tyro.conf.subcommand("audit")]
    | Annotated[FinetuneCommand, tyro.conf.subcommand("finetune")]
    | Annotated[ReportCommand, tyro.conf.subcommand("report")]
    | Annotated[AttacksCommand, tyro.conf.subcommand("attacks")]
)
DESCRIPTION = """Can somebody who has never seen a medical image break this classifier?

See it, offline, on synthetic images: straylight demo

Train a classifier: straylight finetune --help

Audit it, with a report: straylight audit --help
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends with status 0, 2 (bad input) or 130 (interrupted)."""
    keep_freed_memory()
    out, err = Console(), Console(stderr=True)
    command: FinetuneCommand | AuditCommand | ReportCommand | AttacksCommand | DemoCommand
    command = tyro.cli(
        Command,
        prog="straylight",
        description=DESCRIPTION,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    try:
        command.run(out, err)
    except InputError as error:
        err.print(
            f"straylight: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("straylight: interrupted; the same command goes on from here.", style="red")
        sys.exit(130)
