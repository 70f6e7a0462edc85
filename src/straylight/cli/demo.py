"""`straylight demo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from straylight.cli.output import command_line, print_json

if TYPE_CHECKING:
    import rich.console


@dataclass(frozen=True, kw_only=True)
class DemoCommand:
    """Train, attack and report on synthetic images: offline, in about five minutes.

    For example:
      straylight demo
    """

    out: Path = Path("straylight-demo")
    """Folder for the models, the audits and the reports."""
    seed: int = 0
    """The same seed and number of threads give the same figures."""
    force: bool = False
    """Delete the demo in --out, finished or not, and start again."""
    json: bool = False
    """Print the audits as JSON instead of tables."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        from straylight.cli.audit_table import print_audit
        from straylight.core.progress import print_plain, show_progress
        from straylight.demo.run import run_demo

        with show_progress(err) as tracker:
            audits = run_demo(
                self.out, seed=self.seed, force=self.force, command=command_line(), tracker=tracker
            )
        if self.json:
            print_json(out, {name: audit.to_json() for name, audit in audits.items()})
            return
        for name, audit in audits.items():
            print_plain(out, f"\n{name}: {audit.cohort.note}")
            print_audit(audit, self.out / name, out, as_json=False)
