"""docs/extending.md adds a method; what stands there runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from caloforge.recipe import Recipe, override
from caloforge.recipes.points import on_points
from validation.points.plan import train

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"
MODULE = "caloforge.objectives.mean_shower"
MOST_LINES = 60
ASKS_FOR_ROWS = (
    "MeanShower or mean_shower or mean-gan or twins_are or benchmark or public_names"
    " or table_of_methods or arrows or circle"
)
"""Tests of the project that a new method turns red, unless all its rows are there."""


@pytest.fixture(scope="module")
def section() -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.split("\n## A method of this package\n")[1].split("\n## A verb")[0]


@pytest.fixture(scope="module")
def files(section: str) -> dict[str, str]:
    """New files: each is named in the paragraph above its block."""
    pattern = r"^(?:The|Its) \w+, `([\w/.]+)`.*?```python\n(.*?)```"
    return dict(re.findall(pattern, section, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def rows(section: str) -> list[tuple[str, str, str]]:
    """File, line that is there, line that goes below it."""
    (block,) = re.findall(r"```diff\n(.*?)```", section, re.DOTALL)
    actual, path, above = [], "", ""
    for line in block.splitlines():
        if line.startswith("--- "):
            path = line.removeprefix("--- ")
        elif line.startswith("+"):
            actual.append((path, above, line[1:]))
        else:
            above = line[1:]
    return actual


@pytest.fixture
def method(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "extension"}
    for code in files.values():
        exec(compile(code, str(PAGE), "exec"), names)
        if "MeanShower" in names and MODULE not in sys.modules:
            module = ModuleType(MODULE)
            vars(module)["MeanShower"] = names["MeanShower"]
            monkeypatch.setitem(sys.modules, MODULE, module)
    return names


def test_a_method_costs_few_lines(files: dict[str, str], rows: list[Any], section: str) -> None:
    assert len(files) == section.count("```python") == 3
    lines = [line for code in files.values() for line in code.splitlines() if line.strip()]
    statement = re.search(r"all of it, (\d+) lines", section)
    assert statement
    assert len(lines) + len(rows) == int(statement[1]) <= MOST_LINES


def add(root: Path, files: dict[str, str], rows: list[tuple[str, str, str]]) -> None:
    """Do to a copy of the project what the page says."""
    for name, code in files.items():
        (root / name).write_text(code, encoding="utf-8")
    for name, above, line in rows:
        lines = (root / name).read_text(encoding="utf-8").splitlines()
        assert lines.count(above) == 1, f"{name}: {above}"
        lines.insert(lines.index(above) + 1, line)
        (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_project_with_the_method_passes(
    files: dict[str, str], rows: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    for name in ("src", "tests", "docs", "benchmarks", "validation"):
        left_out = shutil.ignore_patterns("__pycache__", "runs")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    add(tmp_path, files, rows)
    test_files = [
        f"tests/test_{name}.py" for name in ("mean_shower", "formulas", "project", "contracts")
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *test_files]
    surroundings = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    process = subprocess.run(
        [*command, "-k", ASKS_FOR_ROWS],
        cwd=tmp_path,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout


def test_its_twin_agrees(method: dict[str, Any]) -> None:
    method["test_mean_shower"]()


def test_its_recipe_is_a_recipe(method: dict[str, Any]) -> None:
    recipe = method["mean_gan"]()
    assert Recipe.from_json(recipe.to_json()) == recipe
    other = override(recipe, ["objective.MeanShower.weight=0.3"])
    assert other.objective.terms[-1][0] == 0.3


def test_it_trains(method: dict[str, Any]) -> None:
    recipe = override(on_points(method["mean_gan"]("points")), ["training.steps=2"])
    assert train(recipe).training is False
