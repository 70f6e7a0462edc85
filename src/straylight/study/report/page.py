"""The report of a study: one HTML file about the whole grid."""

from dataclasses import dataclass
from pathlib import Path

from straylight.audit.files import REPORT
from straylight.core.files import write_text
from straylight.report.charts import BarChart, Curve
from straylight.report.environment import make_environment
from straylight.study.report.aggregate import AggregateRow, read_aggregate_rows
from straylight.study.report.charts import draw_panels, draw_photograph_curves
from straylight.study.report.statistics import METHODS_NOTE
from straylight.study.report.tables import Lines, describe_common_axes, lay_out_rows, split_by_goal
from straylight.study.run.record import CELLS
from straylight.study.run.status import StudyStatus, read_study_status


@dataclass(frozen=True)
class StudyPage:
    """Everything that the template of a study shows."""

    title: str
    status: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    same: str
    statistics: str
    panels: tuple[BarChart, ...]
    curves: tuple[Curve, ...]
    tables: tuple[tuple[str, Lines, list[list[tuple[str, str]]]], ...]


def _make_study_page(title: str, rows: list[AggregateRow], status: StudyStatus) -> StudyPage:
    """Collect everything that the page shows."""
    return StudyPage(
        title=title,
        status=tuple(status.lines()[:2]),
        failed=tuple(status.failed),
        same=describe_common_axes(rows),
        statistics=METHODS_NOTE,
        panels=draw_panels(rows),
        curves=draw_photograph_curves(rows),
        tables=tuple(
            (name, lay_out_rows(some, rows), [_list_report_links(row) for row in some])
            for name, some in split_by_goal(rows)
        ),
    )


def _list_report_links(row: AggregateRow) -> list[tuple[str, str]]:
    """Return links to the reports of a row's audits: number and relative path."""
    return [(str(n), f"{CELLS}/{cell}/{REPORT}") for n, cell in enumerate(row.cells, start=1)]


def write_study_report(study: Path) -> Path:
    """Write `report.html` into a study's folder and return its path.

    Raises:
        InputError: If the folder does not hold a study.
    """
    title, rows = read_aggregate_rows(study)
    page = _make_study_page(title, rows, read_study_status(study))
    path = study / REPORT
    template = make_environment(Path(__file__).parent).get_template("study.html")
    write_text(path, template.render(page=page))
    return path
