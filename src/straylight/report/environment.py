"""The Jinja environment of the report of an audit and the report of a study."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent
LONGEST_TEXT = 2**16  # characters of any one text: as many as a command may have
# Characters that change the direction of all text after them.
DIRECTION_MARKS = re.compile("[\u202a-\u202e\u2066\u2067]")


def make_environment(*folders: Path) -> Environment:
    """Return an environment that escapes every text and refuses undefined names.

    Args:
        folders: Where templates are looked for before those that all reports share.
    """
    return Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_bound_text,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _bound_text(value: object) -> object:
    """Return a text with a bounded length that cannot change the direction of the text around it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    if len(value) > LONGEST_TEXT:
        more = f"{len(value) - LONGEST_TEXT:,} characters more"
        value = f"{value[:LONGEST_TEXT]}\N{HORIZONTAL ELLIPSIS} ({more})"
    return DIRECTION_MARKS.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
