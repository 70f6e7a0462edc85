"""Small repairs to what autodoc and napoleon make of Google-style docstrings."""

import re

from sphinx.application import Sphinx
from sphinx.domains.python import PyObject

SHARED = re.compile(r"^(\s*)(\w+(?:, \w+)+): (.*)$")


def split_names(*event: object) -> None:
    """Write ``a, b: Words`` as two entries: napoleon takes the first name for a type."""
    lines = event[-1]
    assert isinstance(lines, list)
    for index in range(len(lines) - 1, -1, -1):
        found = SHARED.match(lines[index])
        if not found or not found[1]:
            continue
        depth = len(found[1])
        end = index + 1
        while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > depth:
            end += 1
        rest = lines[index + 1 : end]
        lines[index:end] = [
            line
            for each in found[2].split(", ")
            for line in (f"{found[1]}{each}: {found[3]}", *rest)
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the repairs, before napoleon's own (500)."""
    app.connect("autodoc-process-docstring", split_names, priority=400)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
