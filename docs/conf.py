"""Sphinx settings: `make docs` builds the pages of this folder into `docs/_build`, offline."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE / "_ext")]

import straylight  # noqa: E402

project = "Straylight"
author = "The Straylight authors"
copyright = f"2026, {author}"
version = release = straylight.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "docstrings",
    "figure_tables",
    "mathml",
]
exclude_patterns = ["_build"]
default_role = "py:obj"
highlight_language = "sh"
add_module_names = False
python_maximum_signature_line_length = 80

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"Straylight {release}"
html_static_path = ["_static"]
html_css_files = ["straylight.css"]
html_copy_source = False
html_show_sourcelink = False
