"""Formulae as MathML, which browsers draw without a script or a download."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)


def render_formula(node: nodes.Node, *, as_block: bool) -> str:
    """Return a formula as MathML; report one that docutils cannot parse, with its place."""
    try:
        return str(tex2mathml(node.astext(), as_block=as_block))
    except (
        Exception
    ) as error:  # docutils raises AttributeError and others for LaTeX it does not know
        LOGGER.warning(
            "a formula cannot be parsed (%s): use no bare & or \\\\, separate equations by \\quad or put "
            "them into \\begin{aligned}: %s",
            error,
            node.astext(),
            location=node,
        )
        return ""


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line."""
    translator.body.append(render_formula(node, as_block=False))
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula that stands alone."""
    formula = render_formula(node, as_block=True)
    translator.body.append(f'<div class="formula">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config["html_math_renderer"] = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
