"""SDI-GAN: diversity increased selectively, by the spread of real showers."""

from caloforge.objectives import SelectiveDiversity
from caloforge.recipe import Recipe
from caloforge.recipes.dcgan import dcgan


def sdi_gan(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus selective diversity."""
    base = dcgan(detector)
    return base.model_copy(
        update={
            "name": "sdi-gan",
            "citation": "arXiv:2207.01561, Eq. (4)",
            "objective": base.objective + 0.1 * SelectiveDiversity(),
        }
    )
