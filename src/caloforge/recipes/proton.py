"""The proton paper: GAN, selective diversity, intensity, auxiliary regressor; each adds one term.

Light networks by default, with optimisers that learn in minutes; ``REFERENCE`` are the settings of
the paper's networks. Its own script differs from its equations:
``validation/proton/script.py`` of the repository.
"""

from caloforge.objectives import Intensity, SelectiveDiversity, ShowerCentre
from caloforge.recipe import Data, Recipe
from caloforge.recipes.games import dcgan

REFERENCE = (
    "generator.kind=reference",
    "generator.features=plain",
    "critic.kind=reference",
    "optimisers.generator.learning_rate=0.0001",
    "optimisers.generator.weight_decay=0",
    "optimisers.critic.learning_rate=0.00001",
    "optimisers.helper.learning_rate=0.0001",
    *(
        f"optimisers.{player}.{beta}"
        for player in ("generator", "critic", "helper")
        for beta in ("beta1=0.9", "beta2=0.999")
    ),
)
"""Public code of arXiv:2406.03263: its networks, Adam's defaults at its rates, batches of 128."""
REFERENCE_REGRESSOR = "objective.ShowerCentre.regressor=reference"
"""Goes with them where the objective has a regressor."""


def proton_gan(detector: str = "alice_zp") -> Recipe:
    """The conditional GAN that the paper starts from."""
    return dcgan(detector).model_copy(
        update={
            "name": "proton-gan",
            "citation": "arXiv:2406.03263, the baseline",
            "data": Data(particles=32, repeats=2, spread_scale="counts"),
        }
    )


def proton_sdi(detector: str = "alice_zp") -> Recipe:
    """The GAN plus selective diversity."""
    base = proton_gan(detector)
    return base.model_copy(
        update={
            "name": "proton-sdi",
            "citation": "arXiv:2406.03263; arXiv:2207.01561, Eq. (4)",
            "objective": base.objective + 0.01 * SelectiveDiversity(),
        }
    )


def proton_sdi_intensity(detector: str = "alice_zp") -> Recipe:
    """And the intensity of each shower held."""
    base = proton_sdi(detector)
    return base.model_copy(
        update={
            "name": "proton-sdi-intensity",
            "citation": "arXiv:2406.03263, intensity regularisation",
            "objective": base.objective + 1e-3 * Intensity(),
        }
    )


def proton_sdi_intensity_aux(detector: str = "alice_zp") -> Recipe:
    """And the centre of each shower held by an auxiliary regressor."""
    base = proton_sdi_intensity(detector)
    return base.model_copy(
        update={
            "name": "proton-sdi-intensity-aux",
            "citation": "arXiv:2406.03263, Eq. (5)",
            "objective": base.objective + 0.1 * ShowerCentre(),
        }
    )
