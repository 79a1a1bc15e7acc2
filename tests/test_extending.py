"""docs/extending.md adds a method; what stands there runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from caloforge.objectives import TERMS
from caloforge.recipe import Recipe, override
from caloforge.recipes.points import on_points
from caloforge.validation.points import run

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
MOST_LINES = 60


@pytest.fixture(scope="module")
def code() -> str:
    section = PAGE.read_text(encoding="utf-8").split("\n## A verb")[0]
    return "\n".join(re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL))


@pytest.fixture
def method(code: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "extension"}
    exec(compile(code, str(PAGE), "exec"), names)
    monkeypatch.setitem(TERMS, "MeanShower", names["MeanShower"])
    return names


def test_a_method_costs_few_lines(code: str) -> None:
    lines = [line for line in code.splitlines() if line.strip()]
    told = re.search(r"all of it, (\d+) lines", PAGE.read_text(encoding="utf-8"))
    assert told
    assert len(lines) == int(told[1]) <= MOST_LINES


def test_its_twin_agrees(method: dict[str, Any]) -> None:
    method["test_mean_shower"]()


def test_its_recipe_is_a_recipe(method: dict[str, Any]) -> None:
    recipe = method["mean_gan"]()
    assert Recipe.from_json(recipe.to_json()) == recipe
    changed = override(recipe, ["objective.MeanShower.weight=0.3"])
    assert changed.objective.terms[1][0] == 0.3


def test_it_trains(method: dict[str, Any]) -> None:
    recipe = override(on_points(method["mean_gan"]("points")), ["training.steps=2"])
    assert run.train(recipe).training is False
