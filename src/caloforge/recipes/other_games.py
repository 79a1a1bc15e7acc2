"""The same networks in the games that the CaloGAN paper names as next and its peers play."""

from caloforge.objectives import R1, GradientPenalty, Hinge, Wasserstein
from caloforge.recipe import Recipe
from caloforge.recipes.dcgan import dcgan


def wgan_gp(detector: str = "alice_zn") -> Recipe:
    """Wasserstein game with gradient penalty; five critic rounds for one of the generator."""
    base = dcgan(detector)
    return base.model_copy(
        update={
            "name": "wgan-gp",
            "citation": "arXiv:1704.00028, Eq. (3)",
            "objective": Wasserstein() + 10.0 * GradientPenalty(),
            "training": base.training.model_copy(update={"critic_steps": 5}),
        }
    )


def hinge_gan(detector: str = "alice_zn") -> Recipe:
    """Hinge game with the critic's gradient at real showers kept small."""
    base = dcgan(detector)
    return base.model_copy(
        update={
            "name": "hinge-gan",
            "citation": "arXiv:1705.02894, section 3; penalty: arXiv:1801.04406, Eq. (9)",
            "objective": Hinge() + 0.1 * R1(),
        }
    )
