"""Recipes by name: each is a function of the detector's name that returns a Recipe."""

from collections.abc import Callable

from caloforge.detector import Detector
from caloforge.detectors import detector_of_name
from caloforge.errors import DataError, UsageError
from caloforge.recipe import Recipe
from caloforge.recipes.calibrated import calibrated, calibrated_on_deposits
from caloforge.recipes.calogan import calogan, conditional_calogan
from caloforge.recipes.dcgan import dcgan
from caloforge.recipes.divbal_gan import divbal_gan
from caloforge.recipes.divco import divco
from caloforge.recipes.ds_gan import ds_gan
from caloforge.recipes.ms_gan import ms_gan
from caloforge.recipes.other_games import hinge_gan, wgan_gp
from caloforge.recipes.points import calibrated_on_points, on_points
from caloforge.recipes.proton import (
    proton_gan,
    proton_sdi,
    proton_sdi_intensity,
    proton_sdi_intensity_aux,
)
from caloforge.recipes.sdi_gan import sdi_gan

RECIPES: dict[str, Callable[[str], Recipe]] = {
    "calibrated": calibrated,
    "calogan": calogan,
    "conditional-calogan": conditional_calogan,
    "dcgan": dcgan,
    "divbal-gan": divbal_gan,
    "divco": divco,
    "ds-gan": ds_gan,
    "hinge-gan": hinge_gan,
    "ms-gan": ms_gan,
    "proton-gan": proton_gan,
    "proton-sdi": proton_sdi,
    "proton-sdi-intensity": proton_sdi_intensity,
    "proton-sdi-intensity-aux": proton_sdi_intensity_aux,
    "sdi-gan": sdi_gan,
    "wgan-gp": wgan_gp,
}

DETECTORS_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("proton-gan", "proton-sdi", "proton-sdi-intensity", "proton-sdi-intensity-aux"),
        ("alice_zp",),
    ),
    **dict.fromkeys(("calogan", "conditional-calogan"), ("atlas_em",)),
}
"""Recipes that are made for some detectors only, the first of them by default."""
DEFAULT_DETECTOR = "alice_zn"
"""Of all others."""
DEPOSITS = "atlas_em"
"""The detector that others with cells of energy take their settings from."""

SETTINGS: dict[str, Callable[[Recipe], Recipe]] = {"points": on_points}
"""What a detector changes in any recipe."""

VARIANTS: dict[tuple[str, str], Callable[[], Recipe]] = {
    ("calibrated", "atlas_em"): calibrated_on_deposits,
    ("calibrated", "points"): calibrated_on_points,
}
"""Recipes with an objective of their own for a detector, by recipe and detector."""


def recipe_of_name(name: str, detector: str | None = None) -> Recipe:
    """The recipe of that name for a detector, by default its own.

    Raises UsageError with the names that exist, DataError for a detector it is not made for.
    """
    if name not in RECIPES:
        raise UsageError(f"no recipe {name}; there are {', '.join(sorted(RECIPES))}")
    detector = detector or DETECTORS_OF.get(name, (DEFAULT_DETECTOR,))[0]
    wanted = detector_of_name(detector)
    settings = like(wanted)
    require_made_for(name, settings)
    if (name, settings) in VARIANTS:
        return VARIANTS[name, settings]().made_for(wanted)
    recipe = RECIPES[name](detector)
    return SETTINGS[detector](recipe) if detector in SETTINGS else recipe


def like(detector: Detector) -> str:
    """The detector whose settings suit: itself, or atlas_em for any that holds deposits."""
    return detector.name if detector.counts or detector.signed else DEPOSITS


def require_made_for(name: str, detector: str) -> None:
    """Raises DataError when the recipe of that name is made for other detectors.

    As for showers of a wrong detector: both are known, they do not go together.
    """
    made_for = DETECTORS_OF.get(name, (detector,))
    if detector not in made_for:
        raise DataError(f"recipe {name} is made for {', '.join(made_for)}, not for {detector}")


__all__ = ["DETECTORS_OF", "RECIPES", "like", "recipe_of_name", "require_made_for"]
