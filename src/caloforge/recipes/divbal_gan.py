"""DivBal-GAN: diversity pulled to that of two real showers of the same particle."""

from caloforge.objectives import BalancedDiversity
from caloforge.recipe import Recipe
from caloforge.recipes.dcgan import dcgan


def divbal_gan(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus balanced diversity."""
    base = dcgan(detector)
    return base.model_copy(
        update={
            "name": "divbal-gan",
            "citation": "DivBal-GAN: diversity balance, tanh of real minus generated distance",
            "objective": base.objective + 0.3 * BalancedDiversity(),
        }
    )
