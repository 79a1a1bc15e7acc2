"""A recipe by its name or from a file, with the changes that a command line asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from caloforge.detector import Detector
from caloforge.detectors.files import find_detector
from caloforge.errors import UsageError
from caloforge.recipe import AnyRecipe, Recipe, override
from caloforge.recipes import RECIPES, like, recipe_of_name, require_made_for


class Networks(Protocol):
    """Trained networks that a recipe is to start from."""

    @property
    def detector(self) -> Detector:
        """What they were trained for."""
        ...

    def adapt(self, recipe: Recipe) -> Recipe:
        """The recipe with the settings of these networks."""
        ...


def find_recipe(
    recipe: str | Path,
    detector: str | Path | None,
    settings: list[str],
    seed: int | None,
    pretrained: Networks | None = None,
) -> Recipe:
    """The recipe of that name, or of that ``recipe.json`` (a run folder has one), with changes.

    ``detector`` is a name or a file that describes one. Raises UsageError for an unknown recipe,
    detector or setting, with the names that exist.
    """
    target = find_detector(detector) if detector else pretrained and pretrained.detector
    changes = [] if seed is None else [f"seed={seed}"]
    recipe = str(recipe)
    path = Path(recipe) / "recipe.json" if Path(recipe).is_dir() else Path(recipe)
    if recipe in RECIPES or not path.is_file():
        if path.suffix == ".json" and recipe not in RECIPES:
            raise UsageError(f"{path}: there is no such recipe file")
        base = recipe_of_name(recipe, like(target) if target else None)
    else:
        base = read_recipe(path, Recipe)
    base = base.made_for(target) if target else base
    result = override(pretrained.adapt(base) if pretrained else base, [*settings, *changes])
    require_made_for(result.name, like(result.resolve()))
    return result


def read_recipe(path: Path, kind: type[AnyRecipe]) -> AnyRecipe:
    """A recipe file; UsageError, starting with the path, when it is none."""
    return kind.read(path)
