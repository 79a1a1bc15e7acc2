"""Sphinx: ``python -m sphinx -W docs docs/_build/html``; ``tests/docs`` runs the examples."""

import os
import tomllib
from importlib import import_module
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import ReferenceRole

from caloforge import __version__

# Sphinx imports modules as a type checker would see them, which pydantic's models do not survive.
for module in ("evaluate", "simulator"):
    import_module(f"caloforge.{module}")

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
PUBLISHED = "READTHEDOCS" in os.environ
"""Built from the public repository: only then do links into it lead somewhere."""

project = "caloforge"
author = "The caloforge developers"
copyright = "2026, the caloforge developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "images/*.md"]
html_theme = "furo"
html_title = f"caloforge {release}"
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_theme_options = {"source_repository": REPOSITORY, "source_branch": "main"} if PUBLISHED else {}

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}
for module in ("api", "evaluate", "objectives", "simulator", "training.callbacks"):
    # Autodoc changes the annotations of pydantic's BaseModel: what is imported later may fail.
    import_module(f"caloforge.{module}")
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_default_options = {"exclude-members": "model_config"}
autodoc_typehints = "none"
nitpicky = False


def join_at_colon(
    app: Sphinx, what: str, name: str, item: object, options: object, lines: list[str]
) -> None:
    """Undo napoleon, which takes the words before a colon for the type of an attribute."""
    types = [line for line in lines if line.startswith(":type: ")]
    if what in ("attribute", "data", "property") and types:
        rest = [line for line in lines if line not in types]
        lines[:] = [f"{types[0].removeprefix(':type: ')}: {rest[0]}", *rest[1:]]


class RepositoryPath(ReferenceRole):
    """A file of the repository: a link where that is public, otherwise its path in a checkout."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The node of ``{repo}`path``` or ``{repo}`title <path>```."""
        if PUBLISHED:
            address = f"{REPOSITORY}/blob/main/{self.target}"
            return [nodes.reference(self.rawtext, self.title, refuri=address)], []
        path = nodes.literal(self.target, self.target)
        if not self.has_explicit_title:
            return [path], []
        return [nodes.Text(f"{self.title} ("), path, nodes.Text(")")], []


def setup(app: Sphinx) -> None:
    """After napoleon, whose priority is 500."""
    app.add_role("repo", RepositoryPath())
    app.connect("autodoc-process-docstring", join_at_colon, priority=600)
