"""The report: one HTML file, drawn from an audit's folder with no model and no network."""

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from straylight.audit.results import Audit
from straylight.audit.storage import load_audit
from straylight.audit.unfinished import REPORT
from straylight.core.checks import check_kind, folder_of
from straylight.core.files import write_text
from straylight.report.page import make_page

__all__ = ["render", "write_report"]

WRITTEN = "give a folder that an audit wrote"
LONGEST = 2**16  # characters of any one text: as many as a command may have
TURNING = re.compile(
    "[\u202a-\u202e\u2066\u2067]"
)  # what changes the direction of text that follows


def render(audit: Audit, folder: Path | str) -> str:
    """Return the report as one self-contained HTML page.

    Args:
        audit: The result to show.
        folder: Where the audit's `.npy` files are.

    Raises:
        InputError: If one of those files is missing or broken, or the audit has no attack made
            without medical images, or no control to compare it with.
    """
    check_kind(audit, "audit", Audit, "load_audit(...) or run(...)")
    return template().render(page=make_page(audit, folder_of(folder, "folder", WRITTEN)))


def plain(value: object) -> object:
    """Return a text that others wrote so that it is bounded and leaves the text around it alone."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    if len(value) > LONGEST:
        value = (
            f"{value[:LONGEST]}\N{HORIZONTAL ELLIPSIS} ({len(value) - LONGEST:,} characters more)"
        )
    return TURNING.sub(lambda found: f"\\u{ord(found[0]):04x}", value)


@cache
def template() -> Template:
    """Return the page's template."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html")


def write_report(folder: Path | str) -> Path:
    """Write `report.html` into an audit's folder and return its path.

    Raises:
        InputError: If the folder does not hold a whole audit.
    """
    folder = folder_of(folder, "folder", WRITTEN)
    path = folder / REPORT
    write_text(path, render(load_audit(folder), folder))
    return path
