"""`straylight study`, and its `status`, `tables` and `report`."""

import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from straylight.cli.options import Text
from straylight.cli.output import print_json
from straylight.core.errors import InputError, quote_text

if TYPE_CHECKING:
    import rich.console


@dataclass(frozen=True, kw_only=True)
class StudyCommand:
    """Run a grid of trainings and audits from one file; an interrupted study resumes.

    For example:
      straylight study studies/minagi2022-small.toml --dry-run
      straylight study studies/minagi2022-small.toml --out studies/small
      straylight study studies/minagi2022-small.toml --out studies/small --engine ray --workers 2
      straylight study status studies/small
      straylight study tables studies/small --format latex
      straylight study report studies/small
    """

    file: tyro.conf.Positional[Path]
    """The grid, as TOML: see docs/study.md."""
    out: Annotated[
        Path | None,
        tyro.conf.arg(
            metavar="PATH", help_behavior_hint="(default: the file's name without .toml)"
        ),
    ] = None
    """Folder of the study."""
    set: tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    """Values for variables of the file, as NAME=VALUE, such as data=/mnt/images."""
    dry_run: bool = False
    """List the cells and their estimated cost, without running them."""
    engine: Literal["process", "ray"] = "process"
    """process: one cell after the other; ray: cells as Ray tasks (needs 'pip install straylight[ray]')."""
    workers: int = 1
    """With --engine ray on this machine: number of cells that run at a time."""
    ray_address: Text = ""
    """With --engine ray: a running cluster to join, such as auto or ray://HEAD:10001."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        from straylight.core.progress import print_plain
        from straylight.study.config.grid import Grid
        from straylight.study.config.toml import TomlDocument
        from straylight.study.run.cells import make_cells
        from straylight.study.run.dry_run import print_dry_run
        from straylight.study.run.engine import Engine, run_in_process
        from straylight.study.run.ray_engine import RayEngine
        from straylight.study.run.study import run_study

        document = TomlDocument(self.file, dict(map(parse_variable, chain(*self.set))))
        grid = Grid(document)
        study = self.out or Path(self.file.stem)
        if self.workers < 1:
            raise InputError(f"--workers must be at least 1, not {self.workers}.")
        if self.dry_run:
            print_dry_run(grid, study, self.workers, out)
            return
        engine: Engine = run_in_process
        if self.engine == "ray":
            engine = RayEngine(
                workers=self.workers,
                threads=grid.threads,
                gpus=grid.gpus,
                address=self.ray_address,
            )
        elif self.workers > 1 or self.ray_address:
            raise InputError("--workers and --ray-address need --engine ray.")
        counts = run_study(
            grid.title,
            lambda digests: make_cells(grid, digests.compute),
            study,
            err,
            engine=engine,
            workers=self.workers,
        )
        print_plain(out, _format_counts(counts, study))
        if counts["done"] < counts.total():
            sys.exit(1)


def parse_variable(text: str) -> tuple[str, str]:
    """Parse NAME=VALUE."""
    name, separator, value = text.partition("=")
    if not separator:
        raise InputError(
            f"--set '{quote_text(text)}' must be NAME=VALUE, such as data=/mnt/images."
        )
    return name, value


def _format_counts(counts: Counter[str], study: Path) -> str:
    """Format how many cells ended in each state, and the next commands."""
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    more = "" if counts["done"] == counts.total() else " The same command retries the failed cells."
    folder = shlex.quote(str(study))
    return (
        f"{states}.{more}\nNext: straylight study tables {folder}, straylight study report {folder}"
    )


@dataclass(frozen=True, kw_only=True)
class StudyStatusCommand:
    """Print the progress of a study.

    For example:
      straylight study status studies/small
    """

    study: tyro.conf.Positional[Path]
    """The folder of the study."""
    json: bool = False
    """Print the progress as JSON."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        from straylight.core.progress import print_plain
        from straylight.study.run.status import read_study_status

        status = read_study_status(self.study)
        if self.json:
            print_json(out, status.to_json())
            return
        for line in status.lines():
            print_plain(out, line)


@dataclass(frozen=True, kw_only=True)
class StudyTablesCommand:
    """Print the tables of a study: means over seeds, intervals and paired tests.

    For example:
      straylight study tables studies/small --format latex
    """

    study: tyro.conf.Positional[Path]
    """The folder of the study."""
    format: Literal["markdown", "latex", "csv"] = "markdown"
    """markdown, latex, or csv (one tidy table, rates in [0, 1])."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        from straylight.study.report.tables import format_tables

        out.file.write(format_tables(self.study, self.format))


@dataclass(frozen=True, kw_only=True)
class StudyReportCommand:
    """Write the report of a study: one HTML file for the whole grid.

    For example:
      straylight study report studies/small
    """

    study: tyro.conf.Positional[Path]
    """The folder of the study."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        from straylight.core.progress import print_plain
        from straylight.study.report.page import write_study_report

        report = write_study_report(self.study)
        print_plain(out, f"Report: {report}")
