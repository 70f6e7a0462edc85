"""Marks the tables between ``<!-- table:NAME -->`` and ``<!-- end -->``: their cells are not wrapped."""

from docutils import nodes
from sphinx.application import Sphinx


def mark(app: Sphinx, doctree: nodes.document) -> None:
    """Give a class to each table that follows a marker."""
    for table in doctree.findall(nodes.table):
        siblings = table.parent.children
        before = siblings[siblings.index(table) - 1] if siblings.index(table) else None
        if before is not None and before.astext().lstrip("<!- ").startswith("table:"):
            table["classes"].append("figures")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the marking."""
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
