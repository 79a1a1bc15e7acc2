"""Recipes by name: each is a function of the detector's name that returns a Recipe."""

from collections.abc import Callable

from caloforge.errors import UsageError
from caloforge.recipe import Recipe
from caloforge.recipes.calibrated import calibrated
from caloforge.recipes.dcgan import dcgan
from caloforge.recipes.divbal_gan import divbal_gan
from caloforge.recipes.divco import divco
from caloforge.recipes.ds_gan import ds_gan
from caloforge.recipes.ms_gan import ms_gan
from caloforge.recipes.other_games import hinge_gan, wgan_gp
from caloforge.recipes.points import calibrated_on_points, on_points
from caloforge.recipes.sdi_gan import sdi_gan

RECIPES: dict[str, Callable[[str], Recipe]] = {
    "calibrated": calibrated,
    "dcgan": dcgan,
    "divbal-gan": divbal_gan,
    "divco": divco,
    "ds-gan": ds_gan,
    "hinge-gan": hinge_gan,
    "ms-gan": ms_gan,
    "sdi-gan": sdi_gan,
    "wgan-gp": wgan_gp,
}

SETTINGS: dict[str, Callable[[Recipe], Recipe]] = {"points": on_points}
"""What a detector changes in any recipe."""

VARIANTS: dict[tuple[str, str], Callable[[], Recipe]] = {
    ("calibrated", "points"): calibrated_on_points
}
"""Recipes with an objective of their own for a detector, by recipe and detector."""


def recipe_of_name(name: str, detector: str) -> Recipe:
    """The recipe of that name for a detector; raises UsageError with the names that exist."""
    if name not in RECIPES:
        raise UsageError(f"no recipe {name}; there are {', '.join(sorted(RECIPES))}")
    if (name, detector) in VARIANTS:
        return VARIANTS[name, detector]()
    recipe = RECIPES[name](detector)
    return SETTINGS[detector](recipe) if detector in SETTINGS else recipe


__all__ = ["RECIPES", "recipe_of_name"]
