"""MS-GAN: diversity increased everywhere, by the distance of showers in pixels."""

from caloforge.objectives import ModeSeeking
from caloforge.recipe import Recipe
from caloforge.recipes.dcgan import dcgan


def ms_gan(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus mode seeking, its distances averaged over the batch as the authors do."""
    base = dcgan(detector)
    return base.model_copy(
        update={
            "name": "ms-gan",
            "citation": "arXiv:1903.05628, Eq. (4)",
            "objective": base.objective + 0.01 * ModeSeeking(average="batch"),
        }
    )
