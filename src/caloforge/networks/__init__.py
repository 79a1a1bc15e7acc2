"""Generators, critics, and what own ones are made of.  (N, Z), (N, C) -> (N, K)

>>> from caloforge.networks import CRITICS, GENERATORS
>>> "light" in GENERATORS, "counts" in CRITICS
(True, True)
"""

from caloforge.data.derive import FeatureScaling
from caloforge.networks.critic import Critic, CriticOutput
from caloforge.networks.critics import CRITICS, CriticConfig
from caloforge.networks.generators import GENERATORS, Generator, GeneratorConfig
from caloforge.networks.scaling import ConditionScale, ResponseScale

__all__ = [
    "CRITICS",
    "GENERATORS",
    "ConditionScale",
    "Critic",
    "CriticConfig",
    "CriticOutput",
    "FeatureScaling",
    "Generator",
    "GeneratorConfig",
    "ResponseScale",
]
