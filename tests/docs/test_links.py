"""Links of the README and the documentation lead to what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import caloforge

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES_NOT_HERE = re.compile(
    r"\b(zdc|geant4|calo|synthetic|gan_training|house)\.md\b|\breference/"
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_a_page_links_exist(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```[ \t]*$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", text)
    inside = [link for link in links if not re.match(r"\w+:", link)]
    missing = [link for link in inside if not (page.parent / link).exists()]
    roles = re.findall(r"\{repo\}`(?:[^`<]*<)?([^`>]+)>?`", text)
    assert missing + [path for path in roles if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", caloforge.__all__)
def test_public_names_have_a_page(name: str) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs/api").glob("*.md"))
    assert name == "__version__" or re.search(rf"\bcaloforge\.{name}\b", pages)


def test_nothing_cites_notes_that_are_not_here() -> None:
    """Neither pages nor code; a source is a public one, or none is named."""
    files = [*PAGES, *(ROOT / "src").rglob("*.py"), *(ROOT / "src").rglob("*.json")]
    citing = [f for f in files if SOURCES_NOT_HERE.search(f.read_text(encoding="utf-8"))]
    assert citing == []


def test_every_word_of_the_glossary_is_defined_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^([\w(][^\n]*)\n  \S", text, re.MULTILINE)
    assert len(words) == len({word.lower() for word in words}) >= 12
