"""DivCo: showers of far latents told apart in the critic's features."""

from caloforge.objectives import LatentContrast
from caloforge.recipe import Recipe
from caloforge.recipes.dcgan import dcgan


def divco(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus latent-augmented contrast."""
    base = dcgan(detector)
    return base.model_copy(
        update={
            "name": "divco",
            "citation": "arXiv:2103.07893, section 3",
            "objective": base.objective + 1.0 * LatentContrast(),
        }
    )
