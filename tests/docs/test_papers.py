"""The pages of the papers name recipes and weights as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from caloforge import objectives
from caloforge.recipes import RECIPES, recipe_of_name

PAPERS = Path(__file__).parents[2] / "docs" / "papers"
PAGES = sorted(path for path in PAPERS.glob("*.md") if path.name != "index.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_recipes_and_classes_of_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    recipes = re.findall(r"caloforge train ([\w-]+)", text)
    assert recipes
    assert set(recipes) <= set(RECIPES)
    section = re.search(r"^\*\*Class(?:es)?\.\*\*(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    class_names = re.findall(r"`([A-Z]\w+)`", section[1])
    assert class_names
    assert [name for name in class_names if not hasattr(objectives, name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_weights_of_a_page_are_those_of_the_recipes(page: Path) -> None:
    section = re.search(r"^\*\*Recipes?\.\*\*(.*?)\n\n", page.read_text("utf-8"), re.M | re.S)
    assert section is not None
    actual: dict[str, float] = {}
    for name in re.findall(r"`(?:caloforge train )?([a-z][\w-]+)`", section[1]):
        if name in RECIPES and not name.endswith("-published"):
            terms = recipe_of_name(name).objective.terms
            actual |= {type(term).__name__: weight for weight, term in terms}
    stated = re.findall(r"`?([\d.e-]+) \* (\w+)\(", section[1])
    assert [(w, term) for w, term in stated if actual.get(term) != float(w)] == []
