"""CaloGAN and the Conditional CaloGAN.

``calogan`` and ``conditional-calogan`` keep what the papers add to a GAN (the energy term, the
attribute head, soft sparsity) and play a game that learns in minutes on a processor:
``validation/calogan`` says what each part is worth. ``calogan-published`` and
``conditional-calogan-published`` are the papers' networks and settings. They are made for a GPU and
some tens of epochs over 100 000 showers or more: in ten CPU minutes they make a few hundred steps,
and a classifier separates every shower.
"""

from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig
from caloforge.objectives import (
    R1,
    R2,
    AttributeRegression,
    ConditionalMean,
    EnergyConditioning,
    FlippedLabels,
    NonSaturating,
    Paired,
)
from caloforge.recipe import Adam, Data, Optimisers, Recipe, Start, Training

QUICK = Adam(learning_rate=1e-3, beta1=0.0)
ENERGY = 0.05 * EnergyConditioning(response=None, tolerance=3.0)
"""The paper's weight. Its response of 1 is 0.4 % off for the showers of GEANT 3, and a distance
without tolerance leaves a hundredth of the energy resolution."""
GAME = Paired() + 1.0 * R1(every=4) + 1.0 * R2(every=4) + ENERGY


def calogan(detector: str = "atlas_em") -> Recipe:
    """The first paper: the networks receive the energy alone, which a term holds."""
    return Recipe(
        name="calogan",
        detector=detector,
        citation="arXiv:1712.10321",
        generator=GeneratorConfig(kind="layered", latent=64, attributes=("E",), attention=False),
        # Comparing the rows of a batch takes about a tenth more CPU time; no gain is shown.
        critic=CriticConfig(kind="standardised", minibatch=False),
        objective=GAME,
        start=Start(objective=ConditionalMean() + ENERGY),
        optimisers=Optimisers(generator=QUICK, critic=QUICK, helper=Adam(learning_rate=1e-3)),
        data=Data(particles=64, repeats=1),
        training=Training(
            steps=4000,
            warm_up=100,
            average=0.995,
            validation_interval=500,
            checkpoint_interval=500,
            precision="float32",
        ),
    )


def conditional_calogan(detector: str = "atlas_em") -> Recipe:
    """The second: all attributes are conditions, and a regressor reads them from the fakes."""
    return calogan(detector).model_copy(
        update={
            "name": "conditional-calogan",
            "citation": "de Oliveira, Paganini, Nachman: the Conditional CaloGAN",
            "generator": GeneratorConfig(kind="layered", latent=64, attention=False),
            "objective": GAME + 0.1 * AttributeRegression(learns="both"),
        }
    )


def calogan_published(detector: str = "atlas_em") -> Recipe:
    """Public code of arXiv:1712.10321, which ran 50 epochs over 100 000 showers."""
    return Recipe(
        name="calogan-published",
        detector=detector,
        citation="arXiv:1712.10321",
        generator=GeneratorConfig(kind="calogan", latent=1024, features="plain", attributes=("E",)),
        critic=CriticConfig(kind="calogan", occupancy="hard"),
        objective=NonSaturating() + 0.05 * EnergyConditioning(),
        optimisers=Optimisers(
            generator=Adam(learning_rate=2e-4, beta2=0.999),
            critic=Adam(learning_rate=2e-5, beta2=0.999),
            helper=Adam(learning_rate=1e-3),
        ),
        data=Data(particles=256, repeats=1, symmetries=False),
        training=Training(
            steps=4000,
            generator_steps=2,
            decay_from=1.0,
            average=None,
            validation_interval=500,
            checkpoint_interval=500,
            precision="float32",
        ),
    )


def conditional_calogan_published(detector: str = "atlas_em") -> Recipe:
    """Its branch explicit-blur: 150 epochs over 500 000 showers on four GPUs."""
    return calogan_published(detector).model_copy(
        update={
            "name": "conditional-calogan-published",
            "citation": "de Oliveira, Paganini, Nachman: the Conditional CaloGAN",
            "generator": GeneratorConfig(
                kind="conditional-calogan",
                latent=1024,
                features="plain",
                blur=(1,),
                blurred="deposits",
            ),
            "critic": CriticConfig(kind="conditional-calogan", occupancy="root"),
            "objective": FlippedLabels()
            + 0.05 * EnergyConditioning()
            + 1.0 * AttributeRegression(regressor="reference", learns="both"),
        }
    )
