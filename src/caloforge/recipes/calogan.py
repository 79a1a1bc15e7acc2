"""CaloGAN and the Conditional CaloGAN.

Light networks by default, with optimisers that learn in minutes; ``REFERENCE`` and
``CONDITIONAL_REFERENCE`` are the settings of the papers' networks, which want a GPU.
"""

from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig
from caloforge.objectives import (
    AttributeRegression,
    EnergyConditioning,
    FlippedLabels,
    NonSaturating,
)
from caloforge.recipe import Adam, Data, Optimisers, Recipe, Training

REFERENCE = (
    "generator.kind=calogan",
    "generator.latent=1024",
    "generator.features=plain",
    "critic.kind=calogan",
    "critic.occupancy=hard",
    "optimisers.generator.learning_rate=0.0002",
    "optimisers.generator.weight_decay=0",
    "optimisers.critic.learning_rate=0.00002",
    *(
        f"optimisers.{player}.{beta}"
        for player in ("generator", "critic")
        for beta in ("beta1=0.5", "beta2=0.999")
    ),
    "data.particles=256",
    "data.symmetries=false",
    "training.generator_steps=2",
)
"""Public code of arXiv:1712.10321 (calo.md c1); it ran 50 epochs over 100 000 showers."""
CONDITIONAL_REFERENCE = (
    *(setting.replace("kind=calogan", "kind=conditional-calogan") for setting in REFERENCE),
    "critic.occupancy=root",
    "objective.AttributeRegression.regressor=reference",
    "objective.AttributeRegression.learns=both",
)
"""Its branch explicit-blur (calo.md c2); 150 epochs over 500 000 showers on four GPUs."""
LIGHT = Adam(learning_rate=1e-3, beta1=0.5)


def calogan(detector: str = "atlas_em") -> Recipe:
    """The first paper: networks are told the energy alone, which a term and the critic hold."""
    return Recipe(
        name="calogan",
        detector=detector,
        citation="arXiv:1712.10321",
        generator=GeneratorConfig(kind="layered", latent=64, told=("E",)),
        critic=CriticConfig(kind="layered", occupancy="hard"),
        objective=NonSaturating() + 0.05 * EnergyConditioning(),
        optimisers=Optimisers(
            generator=LIGHT, critic=Adam(learning_rate=5e-4, beta1=0.5), helper=LIGHT
        ),
        data=Data(particles=128, repeats=1),
        training=Training(
            steps=4000, validation_interval=500, checkpoint_interval=500, precision="float32"
        ),
    )


def conditional_calogan(detector: str = "atlas_em") -> Recipe:
    """The second: attributes read back, soft sparsity, flipped labels, a blur on layer 1."""
    base = calogan(detector)
    return base.model_copy(
        update={
            "name": "conditional-calogan",
            "citation": "de Oliveira, Paganini, Nachman: the Conditional CaloGAN",
            "generator": GeneratorConfig(kind="layered", latent=64, blur=(1,)),
            "critic": CriticConfig(kind="layered", occupancy="root"),
            "objective": FlippedLabels()
            + 0.05 * EnergyConditioning()
            + 1.0 * AttributeRegression(),
        }
    )
