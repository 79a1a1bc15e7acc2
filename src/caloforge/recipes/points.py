"""What the 2-D benchmark changes in a recipe: small networks, and one of two optimiser regimes.

Settings of arXiv:2207.01561, section 4.1, where it gives them; the rest was fixed on other seeds
(validation/points/README.md).
"""

from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig
from caloforge.objectives import EnergyScore, LogRatio, NonSaturating
from caloforge.recipe import Adam, Data, Optimisers, Recipe, Training
from caloforge.recipes.calibrated import calibrated

HEALTHY = Adam(learning_rate=1e-3, beta1=0.5)
FRAGILE = Adam(learning_rate=1e-3, beta1=0.9)
"""The usual default of the first moment, with which a plain conditional GAN collapses here."""
REGIMES = {"fragile": FRAGILE, "healthy": HEALTHY}


def on_points(recipe: Recipe) -> Recipe:
    """The recipe with dense networks of 64 and 64 and batches of 16 clusters x 4 points."""
    return recipe.model_copy(
        update={
            "generator": GeneratorConfig(kind="mlp"),
            "critic": CriticConfig(kind="mlp"),
            "optimisers": Optimisers(generator=HEALTHY, critic=HEALTHY),
            "data": Data(particles=16, repeats=4, symmetries=False, spread_scale="counts"),
            "training": Training(
                steps=5000,
                critic_steps=recipe.training.critic_steps,
                average=None,
                precision="float32",
            ),
        }
    )


def in_regime(recipe: Recipe, name: str) -> Recipe:
    """The recipe with the optimisers of a regime."""
    adam = REGIMES[name]
    return recipe.model_copy(update={"optimisers": Optimisers(generator=adam, critic=adam)})


def calibrated_on_points() -> Recipe:
    """The score needs an adversary for the shape of a cluster, and the log-ratio for its width."""
    objective = NonSaturating() + 1.0 * EnergyScore() + 1.0 * LogRatio()
    update = {"objective": objective, "sampling": "poisson"}
    return on_points(calibrated("points")).model_copy(update=update)
