"""The report of an audit: one HTML file, made from the audit's folder; it needs no model and no network."""

from functools import cache
from pathlib import Path

from jinja2 import Template

from straylight.audit.files import REPORT
from straylight.audit.results import Audit
from straylight.audit.storage import load_audit
from straylight.core.checks import check_folder, check_type
from straylight.core.files import write_text
from straylight.report.environment import make_environment
from straylight.report.page import make_report_page

__all__ = ["render", "write_report"]

FOLDER_REMEDY = "give a folder that an audit wrote"


def render(audit: Audit, folder: Path | str) -> str:
    """Render the report as one self-contained HTML page.

    Args:
        audit: The audit.
        folder: The folder of its `.npy` files.

    Raises:
        InputError: If one of those files is missing or broken, or if the audit has no attack made
            without medical images, or no control.
    """
    check_type(audit, "audit", Audit, "load_audit(...) or run(...)")
    return _page_template().render(
        page=make_report_page(audit, check_folder(folder, "folder", FOLDER_REMEDY))
    )


@cache
def _page_template() -> Template:
    """Load the template of the page."""
    return make_environment().get_template("page.html")


def write_report(folder: Path | str) -> Path:
    """Write `report.html` into an audit's folder and return its path.

    Raises:
        InputError: If the folder does not hold a complete audit.
    """
    folder = check_folder(folder, "folder", FOLDER_REMEDY)
    path = folder / REPORT
    write_text(path, render(load_audit(folder), folder))
    return path
