"""The subcommands: one frozen dataclass each, whose fields are its options."""

from straylight.cli.attacks import AttacksCommand
from straylight.cli.audit import AuditCommand
from straylight.cli.demo import DemoCommand
from straylight.cli.finetune import FinetuneCommand
from straylight.cli.preflight import PreflightCommand
from straylight.cli.report import ReportCommand
from straylight.cli.study import (
    StudyCommand,
    StudyReportCommand,
    StudyStatusCommand,
    StudyTablesCommand,
)

__all__ = [
    "AttacksCommand",
    "AuditCommand",
    "DemoCommand",
    "FinetuneCommand",
    "PreflightCommand",
    "ReportCommand",
    "StudyCommand",
    "StudyReportCommand",
    "StudyStatusCommand",
    "StudyTablesCommand",
]
