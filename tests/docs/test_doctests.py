"""Examples of the public docstrings run, and every public name of ``caloforge`` has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import caloforge
from caloforge import evaluate, report

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = (
    "caloforge",
    "caloforge.api",
    "caloforge.data.showers",
    "caloforge.evaluate",
    "caloforge.evaluate.comparison",
    "caloforge.extensions",
    "caloforge.objectives",
    "caloforge.report",
    "caloforge.simulator",
    "caloforge.training.callbacks",
    "caloforge.training.torch_data",
    "caloforge.transport",
)


def public() -> Iterator[tuple[str, Any]]:
    """Classes and functions that ``__all__`` names, once each."""
    names = set()
    for module in MODULES:
        for name in importlib.import_module(module).__all__:
            item = getattr(importlib.import_module(module), name)
            if (inspect.isclass(item) or inspect.isfunction(item)) and item not in names:
                names.add(item)
                yield f"{module}.{name}", item


def examples_of(name: str, item: Any) -> list[doctest.DocTest]:
    """Docstrings with examples, of the item and of its methods."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for test in finder.find(item, name) if test.examples]


WITH_EXAMPLES = [(name, item) for name, item in public() if examples_of(name, item)]


@pytest.mark.parametrize(("name", "item"), WITH_EXAMPLES, ids=[name for name, _ in WITH_EXAMPLES])
def test_examples_of_public_names_run(
    name: str, item: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in examples_of(name, item):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


TRAINS = ["add_two_sample_metrics", "classify", "read_back", "transfer"]
"""Functions of ``evaluate`` whose example would train networks."""


@pytest.mark.parametrize(("module", "without"), [(evaluate, TRAINS), (report, [])])
def test_every_function_has_an_example(module: ModuleType, without: list[str]) -> None:
    items = {name: getattr(module, name) for name in module.__all__}
    functions = {name: item for name, item in items.items() if inspect.isfunction(item)}
    assert [n for n, item in functions.items() if not examples_of(n, item)] == without


def test_every_public_name_of_the_package_has_an_example() -> None:
    items = {name: getattr(caloforge, name) for name in caloforge.__all__}
    names = [n for n, item in items.items() if callable(item) and not inspect.ismodule(item)]
    # docs/api/verbs.md trains.
    assert {n for n in names if not examples_of(n, items[n])} <= {"train"}
