"""A game small enough to play by hand: a detector of 4 x 4 cells, its networks and rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Condition, Detector, Layer
from caloforge.detector.features import Feature
from caloforge.detector.readout import Channels
from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig
from caloforge.networks.shower_inputs import Views
from caloforge.objectives import GanStep, Rows

TINY = Detector(
    name="tiny",
    title="Tiny",
    quantity="photons",
    unit="counts",
    counts=True,
    energy="Energy",
    layers=(Layer(name="front", shape=(4, 4), cell_mm=(1.0, 1.0)),),
    conditions=(
        Condition(name="Energy", unit="GeV"),
        Condition(name="Px", unit="GeV/c"),
        Condition(name="Pz", unit="GeV/c"),
    ),
    features=(
        Feature(name="log_energy", kind="log", of=("Energy",)),
        Feature(name="slope_x", kind="slope", of=("Px", "Pz")),
    ),
    channels=(
        Channels(
            scheme="halves",
            labels=("low", "high"),
            of_cell=(0,) * 8 + (1,) * 8,
            source="this test",
        ),
    ),
)
LATENT = 3


def rows(particles: int = 3, repeats: int = 4, seed: int = 0, dtype: Any = torch.float64) -> Rows:
    """Counts, conditions and derived columns that differ between particles."""
    rng = np.random.default_rng(seed)
    energy = rng.uniform(10, 100, particles)
    conditions = np.stack([energy, rng.normal(size=particles), energy * 0.9], axis=1)
    rate = np.repeat(rng.uniform(0, 5, (particles, TINY.cells)), repeats, axis=0)
    numbers = {
        "conditions": np.repeat(conditions, repeats, axis=0),
        "real": rng.poisson(rate),
        "twin": rng.poisson(rate),
        "spread": np.repeat(rng.uniform(0.1, 0.9, particles), repeats),
        "peak": np.repeat(rng.uniform(0, 3, (particles, 2)), repeats, axis=0),
        "attributes": np.repeat(rng.normal(size=(particles, 3)), repeats, axis=0),
    }
    tensors = {name: torch.tensor(values, dtype=dtype) for name, values in numbers.items()}
    return Rows(particles=particles, repeats=repeats, **tensors)


def networks(
    kind: str = "light", seed: int = 0, dtype: Any = torch.float64, head: Any = "leaky"
) -> dict[str, Any]:
    """A generator and a critic for the tiny detector."""
    conditions = rows(particles=8, repeats=1, seed=1).conditions.numpy()
    scaling = FeatureScaling.fit(TINY, conditions)
    torch.manual_seed(seed)
    generator = GeneratorConfig(kind=kind, latent=LATENT, head=head).build(TINY, scaling)
    critic = CriticConfig(kind="light").build(TINY, scaling)
    return {"generator": generator.to(dtype), "critic": critic.to(dtype)}


def round_of(
    player: Any,
    batch: Rows,
    nets: dict[str, nn.Module],
    *,
    latents: tuple[Any, Any] | None = None,
    seed: int = 0,
    **more: Any,
) -> GanStep:
    """A round, with given latents if any."""
    play = GanStep(
        player,
        batch,
        nets,
        views=Views(TINY).to(batch.real.dtype),
        latent_size=LATENT,
        random=torch.Generator().manual_seed(seed),
        **more,
    )
    if latents is None:
        latents = latents_of(len(batch.real), batch.real.dtype)
    play.__dict__["z1"], play.__dict__["z2"] = latents
    return play


def latents_of(number: int, dtype: Any = torch.float64, seed: int = 5) -> tuple[Any, Any]:
    """Two draws of latents."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn((2, number, LATENT), generator=random, dtype=dtype)
    return noise[0], noise[1]


def take(batch: Rows, index: Any, particles: int) -> Rows:
    """Some rows of a batch, as many particles."""
    names = ("conditions", "real", "twin", "spread", "peak", "attributes")
    columns = {name: getattr(batch, name)[index] for name in names}
    return replace(batch, particles=particles, **columns)
