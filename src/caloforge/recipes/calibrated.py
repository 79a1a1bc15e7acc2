"""Our own: match the real conditional distribution, spread included, by a proper score."""

from caloforge.networks.generators import GeneratorConfig
from caloforge.objectives import EnergyScore, LocalScore
from caloforge.recipe import Adam, Data, Optimisers, Recipe, Training


def calibrated(detector: str = "alice_zn") -> Recipe:
    """The multi-resolution conditional energy score; no critic, no weight to tune."""
    return Recipe(
        name="calibrated",
        detector=detector,
        citation="caloforge, docs/methods.md; score: Gneiting and Raftery (2007), Eq. (22)",
        generator=GeneratorConfig(kind="profile", head="steep"),
        objective=1.0 * EnergyScore(),
        optimisers=Optimisers(generator=Adam(learning_rate=1e-3, weight_decay=0.1)),
        sampling="negative-binomial",
    )


def calibrated_on_deposits() -> Recipe:
    """For layers of energy: a score of neighbouring cells beside it, and many latents.

    Two showers of each of many particles: where no particle has a repeat, another particle tells
    more than another fake, and its unit must not be made of its own one shower (docs/methods.md).
    Latents make the noise of the cells, so there are many of them.
    """
    return calibrated("atlas_em").model_copy(
        update={
            "objective": EnergyScore(normalise="neighbours")
            + 1.0 * LocalScore(normalise="neighbours"),
            "generator": GeneratorConfig(kind="layered", latent=64, attention=False),
            "optimisers": Optimisers(generator=Adam(learning_rate=2e-3, weight_decay=0.01)),
            "data": Data(particles=160, repeats=2),
            "training": Training(
                steps=3600, validation_interval=400, checkpoint_interval=400, precision="float32"
            ),
        }
    )
