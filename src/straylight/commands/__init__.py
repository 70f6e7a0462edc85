"""The subcommands: one frozen dataclass each, whose fields are its options."""

from straylight.commands.attacks import AttacksCommand
from straylight.commands.audit import AuditCommand
from straylight.commands.demo import DemoCommand
from straylight.commands.finetune import FinetuneCommand
from straylight.commands.preflight import PreflightCommand
from straylight.commands.report import ReportCommand
from straylight.commands.study import (
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
