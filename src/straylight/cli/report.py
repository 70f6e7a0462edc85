"""`straylight report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    import rich.console


@dataclass(frozen=True, kw_only=True)
class ReportCommand:
    """Write the report of an audit again, from its folder alone.

    For example:
      straylight report audits/skin
    """

    folder: tyro.conf.Positional[Path]
    """A folder written by 'straylight audit'."""
    json: bool = False
    """Print the audit as JSON instead of a table."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        from straylight.audit.storage import load_audit
        from straylight.cli.audit_table import print_audit
        from straylight.report.render import write_report

        write_report(self.folder)
        print_audit(load_audit(self.folder), self.folder, out, as_json=self.json)
