"""The commands: one frozen dataclass each, whose fields are its options."""

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
