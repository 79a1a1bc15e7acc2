"""The settings of the papers and of their public codes; terms as the equations write them.

``NAME-published`` are the settings of the papers and their public codes: published networks, Adam
at 1e-4 and 1e-5, batches of 128 rows of other particles, no penalty, expected counts, distances
without a unit, taken pair by pair. The papers of SDI-GAN and DivBal-GAN give no weight that we
know: it is the 0.1 of the proton paper. On two processor cores these settings learn nothing in
minutes; with the light networks the same terms ended at a conditional W1 of 20 to 34 on ZN (the
shower of the nearest particle: 18), and 11 of 30 runs went dark (validation/zn/records-2026-11).

``LITERAL`` are the terms with the weights that were fixed on the points, where the units of
``games`` do not serve: points have their committed benchmark, most deposits one shower a particle.
"""

from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig
from caloforge.objectives import (
    R1,
    BalancedDiversity,
    DiversitySensitive,
    GradientPenalty,
    Hinge,
    Intensity,
    LatentContrast,
    Minimax,
    ModeSeeking,
    NonSaturating,
    Objective,
    SelectiveDiversity,
    ShowerCentre,
    Wasserstein,
)
from caloforge.recipe import Adam, Data, Optimisers, Recipe, Training

EPSILON = 1e-5
LITERAL: dict[str, Objective] = {
    "dcgan": 1.0 * NonSaturating(),
    "ms-gan": NonSaturating() + 0.01 * ModeSeeking(average="batch", unit="none", epsilon=EPSILON),
    "ds-gan": NonSaturating() + 1.0 * DiversitySensitive(bound=0.1, unit="none", epsilon=EPSILON),
    "divco": NonSaturating() + 1.0 * LatentContrast(),
    "sdi-gan": NonSaturating() + 0.1 * SelectiveDiversity(unit="none", epsilon=EPSILON),
    "divbal-gan": NonSaturating() + 0.3 * BalancedDiversity(unit="none", epsilon=EPSILON),
    "wgan-gp": Wasserstein() + 10.0 * GradientPenalty(space="cells"),
    "hinge-gan": Hinge() + 0.1 * R1(space="cells"),
}
"""By recipe."""


def without_units(recipe: Recipe) -> Recipe:
    """The recipe with its literal objective, the light critic and plain settings, if it has one."""
    if recipe.name not in LITERAL:
        return recipe
    return recipe.model_copy(
        update={
            "generator": GeneratorConfig(head="steep"),
            "critic": CriticConfig(),
            "objective": LITERAL[recipe.name],
            "optimisers": Optimisers(),
            "data": Data(),
            "training": Training(critic_steps=recipe.training.critic_steps),
            "sampling": "rounding",
        }
    )


PER_PAIR = {"average": "pair", "unit": "none", "epsilon": EPSILON}


def dcgan_published(detector: str = "alice_zn") -> Recipe:
    """The baseline of the SDI-GAN paper."""
    return published("dcgan", detector, "arXiv:2207.01561, section 4", Minimax())


def ms_gan_published(detector: str = "alice_zn") -> Recipe:
    """Mode seeking as in the authors' code: distances of cells, averaged over the batch."""
    term = ModeSeeking(average="batch", unit="none", epsilon=EPSILON)
    return published("ms-gan", detector, "arXiv:1903.05628, Eq. (4)", Minimax() + 1.0 * term)


def ds_gan_published(detector: str = "alice_zn") -> Recipe:
    """The paper gives no bound for showers; this is the distance of real ones in log cells."""
    term = DiversitySensitive(bound=0.05, unit="none", epsilon=EPSILON)
    return published("ds-gan", detector, "arXiv:1901.09024, Eq. (2)", Minimax() + 8.0 * term)


def divco_published(detector: str = "alice_zn") -> Recipe:
    """The contrast of the DivCo paper."""
    objective = Minimax() + 1.0 * LatentContrast()
    return published("divco", detector, "arXiv:2103.07893, section 3", objective)


def sdi_gan_published(detector: str = "alice_zn") -> Recipe:
    """Selective diversity, pair by pair."""
    objective = Minimax() + 0.1 * SelectiveDiversity(**PER_PAIR)
    return published("sdi-gan", detector, "arXiv:2207.01561, Eq. (4)", objective)


def divbal_gan_published(detector: str = "alice_zn") -> Recipe:
    """Diversity balance with the gradient through the hyperbolic tangent."""
    objective = Minimax() + 0.1 * BalancedDiversity(balance="literal", **PER_PAIR)
    return published("divbal-gan", detector, "DivBal-GAN, diversity balance", objective)


PROTON: Objective = NonSaturating() + 0.1 * SelectiveDiversity(**PER_PAIR)


def proton_gan_published(detector: str = "alice_zp") -> Recipe:
    """The conditional GAN that the proton paper starts from."""
    return published("proton-gan", detector, "arXiv:2406.03263, baseline", NonSaturating())


def proton_sdi_published(detector: str = "alice_zp") -> Recipe:
    """And selective diversity at the paper's weight, 0.1."""
    return published("proton-sdi", detector, "arXiv:2406.03263", PROTON)


def proton_sdi_intensity_published(detector: str = "alice_zp") -> Recipe:
    """And the intensity at the paper's weight, 1e-10, which leaves it without effect."""
    objective = PROTON + 1e-10 * Intensity()
    return published("proton-sdi-intensity", detector, "arXiv:2406.03263", objective)


def proton_sdi_intensity_aux_published(detector: str = "alice_zp") -> Recipe:
    """And the auxiliary regressor of the paper, which learns from generated showers."""
    centre = ShowerCentre(learns="fake", regressor="reference")
    objective = PROTON + 1e-10 * Intensity() + 1e-3 * centre
    return published("proton-sdi-intensity-aux", detector, "arXiv:2406.03263, Eq. (5)", objective)


def published(name: str, detector: str, citation: str, objective: Objective | Minimax) -> Recipe:
    """What the public codes of the ZDC papers share (arXiv:2406.03263)."""
    slow = Adam(learning_rate=1e-4, beta1=0.9, beta2=0.999)
    return Recipe(
        name=f"{name}-published",
        detector=detector,
        citation=citation,
        generator=GeneratorConfig(kind="reference", features="plain"),
        critic=CriticConfig(kind="reference"),
        objective=Objective.of(objective),
        optimisers=Optimisers(
            generator=slow,
            critic=slow.model_copy(update={"learning_rate": 1e-5}),
            helper=slow,
        ),
        data=Data(particles=128, repeats=1, symmetries=False, spread_scale="counts"),
        training=Training(
            steps=30_000,
            drawn=False,
            decay_from=1.0,
            average=None,
            validation_interval=1000,
            checkpoint_interval=1000,
        ),
    )
