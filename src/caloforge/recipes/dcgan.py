"""The plain conditional DC-GAN, the papers' baseline."""

from caloforge.objectives import NonSaturating
from caloforge.recipe import Recipe


def dcgan(detector: str = "alice_zn") -> Recipe:
    """A conditional GAN with no diversity term: what the papers compare with."""
    return Recipe(
        name="dcgan",
        detector=detector,
        citation="arXiv:2207.01561, section 4 (baseline)",
        objective=1.0 * NonSaturating(),
    )
