"""`straylight report`."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from straylight.audit.storage import load_audit
from straylight.cli.output import show
from straylight.report.render import write_report


@dataclass(frozen=True, kw_only=True)
class ReportCommand:
    """Render the report of an audit again, from its folder alone.

    For example:
      straylight report audits/skin
    """

    folder: tyro.conf.Positional[Path]
    """A folder that 'straylight audit' wrote."""
    json: bool = False
    """Print the audit as JSON instead of a table."""

    def run(self, out: Console, err: Console) -> None:
        write_report(self.folder)
        show(load_audit(self.folder), self.folder, out, as_json=self.json)
