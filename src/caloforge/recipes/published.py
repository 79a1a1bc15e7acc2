"""The papers' terms as their equations write them, and the settings of the papers' networks.

``LITERAL`` are the objectives without units. They serve where the units of ``games`` cannot: points
(committed benchmark) and deposits (most particles have one shower).
"""

from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig
from caloforge.objectives import (
    R1,
    BalancedDiversity,
    DiversitySensitive,
    GradientPenalty,
    Hinge,
    LatentContrast,
    ModeSeeking,
    NonSaturating,
    Objective,
    SelectiveDiversity,
    Wasserstein,
)
from caloforge.recipe import Data, Optimisers, Recipe, Training

EPSILON = 1e-5
LITERAL: dict[str, Objective] = {
    "dcgan": 1.0 * NonSaturating(),
    "ms-gan": NonSaturating() + 0.01 * ModeSeeking(average="batch", unit="none", epsilon=EPSILON),
    "ds-gan": NonSaturating() + 1.0 * DiversitySensitive(bound=0.1, unit="none", epsilon=EPSILON),
    "divco": NonSaturating() + 1.0 * LatentContrast(),
    "sdi-gan": NonSaturating() + 0.1 * SelectiveDiversity(unit="none", epsilon=EPSILON),
    "divbal-gan": NonSaturating() + 0.3 * BalancedDiversity(unit="none", epsilon=EPSILON),
    "wgan-gp": Wasserstein() + 10.0 * GradientPenalty(space="cells"),
    "hinge-gan": Hinge() + 0.1 * R1(space="cells"),
}
"""By recipe; weights as fixed on the points."""


def without_units(recipe: Recipe) -> Recipe:
    """The recipe with its literal objective, the light critic and plain settings, if it has one."""
    if recipe.name not in LITERAL:
        return recipe
    return recipe.model_copy(
        update={
            "generator": GeneratorConfig(head="steep"),
            "critic": CriticConfig(),
            "objective": LITERAL[recipe.name],
            "optimisers": Optimisers(),
            "data": Data(),
            "training": Training(critic_steps=recipe.training.critic_steps),
            "sampling": "rounding",
        }
    )
