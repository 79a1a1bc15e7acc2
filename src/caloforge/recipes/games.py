"""Games of a generator and a critic: the DC-GAN of the papers, and what each method adds to it.

Settings are those that learn on detectors of counts in minutes (docs/decisions/games.md says how
they were found). The papers' own are in ``published``.
"""

from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig
from caloforge.objectives import (
    R1,
    R2,
    BalancedDiversity,
    DiversitySensitive,
    GradientPenalty,
    Hinge,
    LatentContrast,
    ModeSeeking,
    Objective,
    Paired,
    SelectiveDiversity,
    Term,
    Wasserstein,
)
from caloforge.recipe import Adam, Data, Optimisers, Recipe, Training

PENALTIES = 0.5 * R1(falls_to=0.1) + 0.5 * R2(falls_to=0.1)
QUICK = Adam(learning_rate=1e-3, beta1=0.0, beta2=0.99)
"""No momentum: the opponent that a step was taken against is gone at the next one."""


def dcgan(detector: str = "alice_zn") -> Recipe:
    """A conditional GAN with no diversity term: what the papers compare with."""
    return Recipe(
        name="dcgan",
        detector=detector,
        citation="arXiv:2207.01561, section 4 (baseline)",
        generator=GeneratorConfig(kind="profile"),
        critic=CriticConfig(kind="counts"),
        objective=Paired() + PENALTIES,
        optimisers=Optimisers(
            generator=QUICK.model_copy(update={"weight_decay": 0.1}), critic=QUICK, helper=QUICK
        ),
        data=Data(particles=32, repeats=2),
        training=Training(steps=8000, decay_from=0.4, average=0.995),
        sampling="negative-binomial",
    )


def ms_gan(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus mode seeking, its distances averaged over the batch as the authors do."""
    return with_term(
        dcgan(detector), "ms-gan", "arXiv:1903.05628, Eq. (4)", 0.03 * ModeSeeking(average="batch")
    )


def ds_gan(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus the distance of showers, increased up to a bound."""
    return with_term(
        dcgan(detector), "ds-gan", "arXiv:1901.09024, Eq. (2)", 0.1 * DiversitySensitive()
    )


def divco(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus showers of far latents told apart in the critic's features."""
    return with_term(
        dcgan(detector), "divco", "arXiv:2103.07893, section 3", 0.03 * LatentContrast()
    )


def sdi_gan(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus diversity increased selectively, by the spread of real showers."""
    return with_term(
        dcgan(detector), "sdi-gan", "arXiv:2207.01561, Eq. (4)", 0.03 * SelectiveDiversity()
    )


def divbal_gan(detector: str = "alice_zn") -> Recipe:
    """The DC-GAN plus diversity pulled to that of two real showers of the same particle."""
    return with_term(
        dcgan(detector),
        "divbal-gan",
        "DivBal-GAN: diversity balance, tanh of real minus generated distance",
        0.3 * BalancedDiversity(),
    )


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
    """Hinge game with the critic's gradients at real and generated showers kept small."""
    return dcgan(detector).model_copy(
        update={
            "name": "hinge-gan",
            "citation": "arXiv:1705.02894, section 3; penalty: arXiv:1801.04406, Eq. (9)",
            "objective": Hinge() + PENALTIES,
        }
    )


def with_term(recipe: Recipe, name: str, citation: str, term: Objective | Term) -> Recipe:
    """Another recipe: the same one with a term more."""
    return recipe.model_copy(
        update={"name": name, "citation": citation, "objective": recipe.objective + term}
    )
