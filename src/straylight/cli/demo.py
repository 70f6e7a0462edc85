"""`straylight demo`."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from straylight.cli.output import command_line, print_json, show
from straylight.core.progress import progress, say
from straylight.demo.run import run_demo


@dataclass(frozen=True, kw_only=True)
class DemoCommand:
    """Fine-tune, attack and report on synthetic images: offline, in about five minutes.

    For example:
      straylight demo
    """

    out: Path = Path("straylight-demo")
    """Folder for the models, the audits and the reports."""
    seed: int = 0
    """Same seed and threads: same figures."""
    force: bool = False
    """Throw away the demo that is in --out, finished or not, and start again."""
    json: bool = False
    """Print the audits as JSON instead of tables."""

    def run(self, out: Console, err: Console) -> None:
        with progress(err) as tracker:
            audits = run_demo(
                self.out, seed=self.seed, force=self.force, command=command_line(), tracker=tracker
            )
        if self.json:
            print_json(out, {name: audit.to_json() for name, audit in audits.items()})
            return
        for name, audit in audits.items():
            say(out, f"\n{name}: {audit.cohort.note}")
            show(audit, self.out / name, out, as_json=False)
