"""`straylight study`, and its `status`, `tables` and `report`."""

import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from straylight.cli.output import print_json
from straylight.core.errors import InputError, quoted
from straylight.core.progress import say
from straylight.study.config.grid import Grid
from straylight.study.config.toml import Document
from straylight.study.report.page import write_study_report
from straylight.study.report.tables import Format, write_tables
from straylight.study.run.cells import cells_of
from straylight.study.run.dry_run import dry_run
from straylight.study.run.engine import Engine, in_process
from straylight.study.run.ray_engine import RayEngine
from straylight.study.run.status import Status, read_status
from straylight.study.run.study import run_study


@dataclass(frozen=True, kw_only=True)
class StudyCommand:
    """Run a grid of trainings and audits from one file; a killed study goes on.

    For example:
      straylight study studies/minagi2022-small.toml --dry-run
      straylight study studies/minagi2022-small.toml --out studies/small
      straylight study studies/minagi2022-small.toml --out studies/small --engine ray --workers 2
      straylight study status studies/small
      straylight study tables studies/small --format latex
      straylight study report studies/small
    """

    file: tyro.conf.Positional[Path]
    """The grid (TOML): see docs/study.md."""
    out: Path | None = None
    """Folder of the study (default: the file's name without .toml, in the working folder)."""
    set: tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    """Variables of the file, as NAME=VALUE, such as data=/mnt/images."""
    dry_run: bool = False
    """List the cells and what they are expected to take, and run nothing."""
    engine: Literal["process", "ray"] = "process"
    """process: one cell after the other. ray: cells as Ray tasks ('pip install straylight[ray]')."""
    workers: int = 1
    """Of --engine ray on this machine: how many cells at a time."""
    ray_address: str = ""
    """Of --engine ray: a running cluster to join, such as auto or ray://HEAD:10001."""

    def run(self, out: Console, err: Console) -> None:
        document = Document(self.file, dict(map(parse_variable, chain(*self.set))))
        grid = Grid(document)
        study = self.out or Path(self.file.stem)
        if self.workers < 1:
            raise InputError(f"--workers must be at least 1, not {self.workers}.")
        if self.dry_run:
            dry_run(grid, study, self.workers, out)
            return
        counts = run_study(
            grid.title,
            lambda digests: cells_of(grid, digests.of),
            study,
            err,
            engine=self.chosen(grid),
            workers=self.workers,
        )
        say(out, summary(counts, study))
        if counts["done"] < counts.total():
            sys.exit(1)

    def chosen(self, grid: Grid) -> Engine:
        """Return the engine that was asked for."""
        if self.engine == "ray":
            return RayEngine(
                workers=self.workers,
                threads=grid.threads,
                gpus=grid.gpus,
                address=self.ray_address,
            )
        if self.workers > 1 or self.ray_address:
            raise InputError("--workers and --ray-address are for --engine ray.")
        return in_process


def parse_variable(text: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, separator, value = text.partition("=")
    if not separator:
        raise InputError(f"--set '{quoted(text)}' must be NAME=VALUE, such as data=/mnt/images.")
    return name, value


def summary(counts: Counter[str], study: Path) -> str:
    """Say how a study ended."""
    said = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    more = "" if counts["done"] == counts.total() else " The same command tries again what failed."
    folder = shlex.quote(str(study))
    return (
        f"{said}.{more}\nNext: straylight study tables {folder}, straylight study report {folder}"
    )


@dataclass(frozen=True, kw_only=True)
class StudyStatusCommand:
    """Say how a study stands.

    For example:
      straylight study status studies/small
    """

    study: tyro.conf.Positional[Path]
    """The study's folder."""
    json: bool = False
    """Print it as JSON."""

    def run(self, out: Console, err: Console) -> None:
        status: Status = read_status(self.study)
        if self.json:
            print_json(out, status.to_json())
            return
        for line in status.lines():
            say(out, line)


@dataclass(frozen=True, kw_only=True)
class StudyTablesCommand:
    """Write the tables of a study: means over seeds, intervals and paired tests.

    For example:
      straylight study tables studies/small --format latex
    """

    study: tyro.conf.Positional[Path]
    """The study's folder."""
    format: Format = "markdown"
    """markdown, latex, or csv (one tidy table, rates in [0, 1])."""

    def run(self, out: Console, err: Console) -> None:
        out.file.write(write_tables(self.study, self.format))


@dataclass(frozen=True, kw_only=True)
class StudyReportCommand:
    """Write the report of a study: one HTML file over the whole grid.

    For example:
      straylight study report studies/small
    """

    study: tyro.conf.Positional[Path]
    """The study's folder."""

    def run(self, out: Console, err: Console) -> None:
        report = write_study_report(self.study)
        say(out, f"Report: {report}")
