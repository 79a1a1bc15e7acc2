"""Our own: match the real conditional distribution, spread included, by a proper score."""

from caloforge.objectives import EnergyScore
from caloforge.recipe import Adam, Optimisers, Recipe


def calibrated(detector: str = "alice_zn") -> Recipe:
    """The multi-resolution conditional energy score; no critic, no weight to tune."""
    return Recipe(
        name="calibrated",
        detector=detector,
        citation="caloforge, docs/methods.md; score: Gneiting and Raftery (2007), Eq. (22)",
        objective=1.0 * EnergyScore(),
        optimisers=Optimisers(generator=Adam(learning_rate=1e-3, weight_decay=0.1)),
        sampling="poisson",
    )
