"""Recipes by name: each is a function of the detector's name that returns a Recipe."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType

from caloforge.detector import Detector
from caloforge.detectors import DETECTORS, detector_of_name
from caloforge.errors import DataError
from caloforge.extensions import Registry, defined_in, name_of
from caloforge.recipe import Recipe
from caloforge.recipes import calibrated, points
from caloforge.recipes.published import without_units


def recipes_in(module: ModuleType) -> Iterator[tuple[str, Callable[[str], Recipe]]]:
    """Functions ``(detector: str) -> Recipe``, by the name of the recipe."""
    for piece in defined_in(module):
        if inspect.isfunction(piece):
            signature = inspect.signature(piece)
            returned = signature.return_annotation
            kind = str(getattr(returned, "__name__", returned)).rpartition(".")[2]
            if tuple(signature.parameters) == ("detector",) and kind == Recipe.__name__:
                yield name_of(piece), piece


FINDER = "find"
"""The one module here that reads this one."""
MODULES = [
    importlib.import_module(f"{__name__}.{module.name}")
    for module in pkgutil.iter_modules(__path__)
    if module.name != FINDER
]
RECIPES: Registry[Callable[[str], Recipe]] = Registry(
    "recipe",
    "recipes",
    dict(sorted(recipe for module in MODULES for recipe in recipes_in(module))),
    recipes_in,
    "a recipe is a function (detector: str) -> Recipe",
)
"""A new recipe is found in whatever module of this package stands."""

DETECTORS_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("proton-gan", "proton-sdi", "proton-sdi-intensity", "proton-sdi-intensity-aux"),
        ("alice_zp",),
    ),
    **{
        name: ("alice_zp",) if name.startswith("proton") else ("alice_zn", "alice_zp")
        for name in RECIPES.own
        if name.endswith("-published")
    },
    **{name: ("atlas_em",) for name in RECIPES.own if "calogan" in name},
}
"""Recipes that are made for some detectors only, the first of them by default."""
DEFAULT_DETECTOR = "alice_zn"
"""Of all others."""
DEPOSITS = "atlas_em"
"""The detector that others with cells of energy take their settings from."""
COORDINATES = "points"
"""The same for cells of any sign."""

SETTINGS: dict[str, Callable[[Recipe], Recipe]] = {"points": points.on_points}
"""What a detector changes in any recipe."""

VARIANTS: dict[tuple[str, str], Callable[[], Recipe]] = {
    ("calibrated", "atlas_em"): calibrated.calibrated_on_deposits,
    ("calibrated", "points"): points.calibrated_on_points,
}
"""Recipes with an objective of their own for a detector, by recipe and detector."""


def recipe_of_name(name: str, detector: str | None = None) -> Recipe:
    """The recipe of that name for a detector, by default its own.

    Raises UsageError with the names that exist, DataError for a detector it is not made for.
    """
    function = RECIPES.require(name)
    detector = detector or default_detector(name, function)
    target = detector_of_name(detector)
    settings = like(target)
    require_made_for(name, settings)
    if (name, settings) in VARIANTS:
        return VARIANTS[name, settings]().made_for(target)
    recipe = function(detector)
    if not target.counts:
        recipe = without_units(recipe)
    return SETTINGS[detector](recipe) if detector in SETTINGS else recipe


def default_detector(name: str, function: Callable[[str], Recipe]) -> str:
    """The detector that a recipe is made for first, or else the default of its function."""
    if name in DETECTORS_OF:
        return DETECTORS_OF[name][0]
    default = inspect.signature(function).parameters["detector"].default
    return default if isinstance(default, str) else DEFAULT_DETECTOR


def like(detector: Detector) -> str:
    """The detector whose settings suit: itself where it ships, or one that holds the same kind."""
    if not (detector.counts or detector.signed):
        return DEPOSITS
    if detector.name in DETECTORS.own:
        return detector.name
    return DEFAULT_DETECTOR if detector.counts else COORDINATES


def require_made_for(name: str, detector: str) -> None:
    """Raises DataError when the recipe of that name is made for other detectors.

    As for showers of a wrong detector: both are known, they do not go together.
    """
    made_for = DETECTORS_OF.get(name, (detector,))
    if detector not in made_for:
        raise DataError(f"recipe {name} is made for {', '.join(made_for)}, not for {detector}")


__all__ = ["DETECTORS_OF", "RECIPES", "like", "recipe_of_name", "require_made_for"]
