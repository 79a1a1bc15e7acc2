"""Which generators a detector's speed is measured with: the published one, and those against it.

Shapes: N rows, C conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.detectors import ALICE_ZN, ATLAS_EM
from caloforge.errors import UsageError
from caloforge.networks.generators import GeneratorConfig


@dataclass(frozen=True)
class Contest:
    """A published generator and ours, all with random weights."""

    what: str
    """What the benchmark is called."""
    detector: Detector
    reference: GeneratorConfig
    others: Mapping[str, GeneratorConfig] = field(default_factory=dict)
    bundle: str | None = None
    """The one of them that O2 runs with a classifier."""

    @property
    def latents(self) -> int:
        """Latents of the generator that wants most; others take the first of them."""
        return max(config.latent for config in (self.reference, *self.others.values()))


CONTESTS: Mapping[str, Contest] = MappingProxyType(
    {
        "alice_zn": Contest(
            what="speed",
            detector=ALICE_ZN,
            reference=GeneratorConfig(kind="reference"),
            others={kind: GeneratorConfig(kind=kind) for kind in ("profile", "light", "o2")},
            bundle="profile",
        ),
        "atlas_em": Contest(
            what="speed of atlas_em",
            detector=ATLAS_EM,
            reference=GeneratorConfig(kind="calogan", latent=1024, features="plain"),
            others={
                "conditional-calogan": GeneratorConfig(
                    kind="conditional-calogan", latent=1024, features="plain", blur=(1,)
                ),
                "layered": GeneratorConfig(kind="layered", latent=64, attention=False),
                "layered, attention and blur": GeneratorConfig(
                    kind="layered", latent=64, blur=(1,)
                ),
            },
        ),
    }
)


def contest_of(detector: str) -> Contest:
    """The contest of a detector; raises UsageError with those that have one."""
    if detector not in CONTESTS:
        raise UsageError(f"no published generator of {detector}: there are {', '.join(CONTESTS)}")
    return CONTESTS[detector]


def untrained(
    config: GeneratorConfig, detector: Detector, conditions: NDArray[np.float64]
) -> nn.Module:
    """A generator with random weights and random running statistics, so that folding is tested."""
    scaling = FeatureScaling.fit(detector, conditions, config.features)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(mode=False):
        torch.manual_seed(1)
        network = config.build(detector, scaling)
        for part in network.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(part.get_buffer("running_mean"), 0, 0.2)
                nn.init.uniform_(part.get_buffer("running_var"), 0.5, 2)
                nn.init.uniform_(part.weight, 0.8, 1.6)
    return network.eval().requires_grad_(False)


__all__ = ["CONTESTS", "Contest", "contest_of", "untrained"]
