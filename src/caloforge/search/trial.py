"""One training run of a search: an ordinary run folder, finished, resumed or begun.

What is tried: every combination of the values of some settings.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.documents import json_or_word
from caloforge.errors import DataError, UsageError
from caloforge.reporter import SILENT, Reporter

if TYPE_CHECKING:
    from caloforge.recipe import Recipe
    from caloforge.training.folder import RunFolder


@dataclass(frozen=True)
class Axis:
    """A setting and the values that it is given in turn."""

    path: str
    values: tuple[Any, ...]


Point = tuple[tuple[str, Any], ...]
"""One value for each axis, as (path, value)."""

REFUSED = {
    "seed": "every point gets the same seeds; use --seeds for their number",
    "name": "it only labels a run; name a setting that changes it",
    "citation": "it only labels a run; name a setting that changes it",
}
"""Paths of a recipe that make no other method, and what to do instead."""


def parse_axis(text: str) -> Axis:
    """The axis that ``path=value,value,...`` names; raises UsageError for anything else.

    Values are read as JSON where that is possible (numbers, lists), as plain words elsewhere.
    """
    path, equals, rest = text.partition("=")
    values = _values(rest)
    if not (path and equals and values):
        raise UsageError(f"--grid {text}: write path=value,value, as in training.steps=500,1000")
    if len(set(map(json.dumps, values))) < len(values):
        raise UsageError(f"--grid {text}: a value stands there twice")
    return Axis(path, tuple(values))


def points(axes: Sequence[Axis]) -> list[Point]:
    """All combinations; the last axis runs fastest.

    Raises UsageError for a path given twice, and for one that makes no other method.
    """
    paths = [axis.path for axis in axes]
    if label := next((path for path in paths if path in REFUSED), None):
        raise UsageError(f"--grid {label}: {REFUSED[label]}")
    if twice := sorted({path for path in paths if paths.count(path) > 1}):
        raise UsageError(f"--grid {twice[0]} stands there twice; name all its values at once")
    combined = itertools.product(*(axis.values for axis in axes))
    return [tuple(zip(paths, values, strict=True)) for values in combined]


def settings(point: Point) -> list[str]:
    """A point as ``path=value`` settings of a recipe."""
    return [f"{path}={json.dumps(value)}" for path, value in point]


def title(point: Point) -> str:
    """A point in words, without the first part of each path."""
    parts = (f"{path.partition('.')[2] or path}={_shown(value)}" for path, value in point)
    return ",".join(parts) or "as it is"


def _values(text: str) -> list[Any]:
    """Values between commas, as JSON or as words; UsageError where one is missing."""
    values = json_or_word(f"[{text}]")
    if not isinstance(values, str):
        return list(values)
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UsageError(f"--grid: {text!r} has nothing between two commas, or at an end")
    return [json_or_word(part) for part in parts]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


THREADS = 1
"""The same result with any number of workers, and no fight for cores between them."""


@dataclass(frozen=True)
class Trial:
    """A point of the grid with a seed; the recipe as JSON, so that processes can pass it on."""

    point: Point
    seed: int
    recipe: str
    steps: int
    folder: Path


def plan(recipe: Recipe, points: Sequence[Point], seeds: int, folder: Path) -> list[Trial]:
    """All runs of the grid.

    Raises UsageError for a setting that the recipe does not take, and for points that differ in
    nothing.
    """
    from caloforge.recipe import override

    recipes = [override(recipe, settings(point), option="--grid") for point in points]
    _require_distinct(recipes, points)
    trials = []
    for point, of_point in zip(points, recipes, strict=True):
        name = re.sub(r"[^\w.,=+-]", "_", title(point)).replace("as_it_is", recipe.name)
        for seed in range(recipe.seed, recipe.seed + seeds):
            of_trial = of_point.model_copy(update={"seed": seed})
            run = folder / f"{name},seed={seed}"
            steps = of_trial.training.steps
            trials.append(Trial(point, seed, of_trial.to_json(), steps, run))
    names = [trial.folder for trial in trials]
    if len(set(names)) < len(names):
        raise UsageError("two points of the grid have the same name in files; search them apart")
    return trials


def _require_distinct(recipes: Sequence[Recipe], points: Sequence[Point]) -> None:
    """Values such as 1 and 1.0 are one recipe: its runs would count as several seeds or points."""
    for number, recipe in enumerate(recipes):
        if (first := recipes.index(recipe)) < number:
            same = f"{title(points[first])} and {title(points[number])}"
            raise UsageError(f"--grid: {same} are the same recipe; leave one out")


def finish(
    recipe: str | Recipe,
    data: Path,
    sha256: str,
    folder: Path,
    *,
    device: str = "cpu",
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Train to the end whatever is missing of a run, and return its summary.

    A finished run of the same recipe is left as it is, an unfinished one goes on from its
    checkpoint. Raises UsageError when the folder holds another run, DataError when that was of
    other showers (``sha256``), and what ``train`` raises.
    """
    from caloforge.train import train
    from caloforge.training.folder import RunFolder

    run, config = RunFolder(folder), as_recipe(recipe)
    if not is_finished(run, config, sha256):
        resume = run.checkpoint.is_file()
        train(
            config,
            data,
            folder,
            resume=resume,
            overwrite=not resume,
            reporter=reporter,
            device=device,
            threads=THREADS,
        )
    return run.summary()


def as_recipe(recipe: str | Recipe) -> Recipe:
    """The recipe itself, or the one that the JSON document holds."""
    from caloforge.recipe import Recipe

    return Recipe.from_json(recipe) if isinstance(recipe, str) else recipe


def is_finished(run: RunFolder, recipe: Recipe, sha256: str) -> bool:
    """Whether the folder holds the result of this recipe and these showers.

    Raises UsageError when it holds that of another recipe, DataError that of other showers.
    """
    from caloforge.recipes.find import read_recipe
    from caloforge.simulator import CARD

    card = run.simulator / CARD
    if not card.is_file() or run.summary()["step"] != recipe.training.steps:
        return False
    if read_recipe(run.recipe, type(recipe)) != recipe:
        raise UsageError(f"{run.path} holds a run of another recipe; name another --out")
    if run.facts().data.sha256 != sha256:
        raise DataError(f"{run.path} was trained on other showers; name another --out")
    # A run that SIGTERM stopped has a simulator, too; the last one follows the last checkpoint.
    last = run.checkpoint
    return not last.is_file() or card.stat().st_mtime_ns >= last.stat().st_mtime_ns
