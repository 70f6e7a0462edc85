"""The report of a study: one HTML file over the whole grid."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from straylight.core.files import write_text
from straylight.study.report.aggregate import Row, read_rows
from straylight.study.report.charts import Curve, Panel, draw_curves, draw_panels
from straylight.study.report.statistics import NAMED
from straylight.study.report.tables import Lines, said_once, split, table
from straylight.study.run.record import CELLS
from straylight.study.run.status import Status, read_status

REPORT = "report.html"


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    title: str
    status: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    same: str
    statistics: str
    panels: tuple[Panel, ...]
    curves: tuple[Curve, ...]
    tables: tuple[tuple[str, Lines, list[list[tuple[str, str]]]], ...]


def make_page(title: str, rows: list[Row], status: Status) -> Page:
    """Collect the page."""
    return Page(
        title=title,
        status=tuple(status.lines()[:2]),
        failed=tuple(status.failed),
        same=said_once(rows),
        statistics=NAMED,
        panels=draw_panels(rows),
        curves=draw_curves(rows),
        tables=tuple(
            (name, table(some, rows), [links(row) for row in some]) for name, some in split(rows)
        ),
    )


def links(row: Row) -> list[tuple[str, str]]:
    """Name the reports of a row's audits, beside the study's own."""
    return [(str(n), f"{CELLS}/{cell}/{REPORT}") for n, cell in enumerate(row.cells, start=1)]


def write_study_report(study: Path) -> Path:
    """Write `report.html` into a study's folder and return its path.

    Raises:
        InputError: If the folder holds no study.
    """
    title, rows = read_rows(study)
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader([folder, folder.parents[1] / "report"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = make_page(title, rows, read_status(study))
    path = study / REPORT
    write_text(path, environment.get_template("study.html").render(page=page))
    return path
