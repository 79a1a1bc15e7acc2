"""Sphinx: ``python -m sphinx -W docs docs/_build/html``."""

from caloforge import __version__

project = "caloforge"
author = "The caloforge developers"
copyright = "2026, the caloforge developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"caloforge {release}"

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {"NDArray": "NDArray"}
nitpicky = False
