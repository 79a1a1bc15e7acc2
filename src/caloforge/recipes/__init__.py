"""Recipes by name: each is a function of the detector's name that returns a Recipe."""

from collections.abc import Callable

from caloforge.errors import UsageError
from caloforge.recipe import Recipe
from caloforge.recipes.calibrated import calibrated
from caloforge.recipes.dcgan import dcgan
from caloforge.recipes.sdi_gan import sdi_gan

RECIPES: dict[str, Callable[[str], Recipe]] = {
    "calibrated": calibrated,
    "dcgan": dcgan,
    "sdi-gan": sdi_gan,
}


def recipe_of_name(name: str, detector: str) -> Recipe:
    """The recipe of that name for a detector; raises UsageError with the names that exist."""
    if name not in RECIPES:
        raise UsageError(f"no recipe {name}; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name](detector)


__all__ = ["RECIPES", "recipe_of_name"]
