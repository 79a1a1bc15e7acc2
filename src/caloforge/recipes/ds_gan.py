"""DS-GAN: diversity increased explicitly, up to a bound."""

from caloforge.objectives import DiversitySensitive
from caloforge.recipe import Recipe
from caloforge.recipes.dcgan import dcgan


def ds_gan(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus the bounded distance of showers."""
    base = dcgan(detector)
    return base.model_copy(
        update={
            "name": "ds-gan",
            "citation": "arXiv:1901.09024, Eq. (2)",
            "objective": base.objective + 1.0 * DiversitySensitive(),
        }
    )
