"""Showers of a small detector with a condition that decides everything, made by plain numpy."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from caloforge.detector import Condition, Detector, Feature, Layer, checkerboard, quadrants

SHAPE = (6, 6)
SMALL = Detector(
    name="small",
    title="Small",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(Layer(name="fibres", shape=SHAPE, cell_mm=(2.0, 2.0)),),
    conditions=(
        Condition(name="Energy", unit="GeV"),
        Condition(name="mass", unit="MeV"),
        Condition(name="charge", unit="e"),
    ),
    features=(
        Feature(name="log_energy", kind="log", of=("Energy",)),
        Feature(name="mass", kind="value", of=("mass",)),
        Feature(name="charge", kind="value", of=("charge",)),
    ),
    channels=(
        checkerboard(
            SHAPE,
            scheme="first",
            common_parity=1,
            towers=quadrants(SHAPE, (0, 1, 2, 3)),
            labels=("a", "b", "c", "d", "common"),
            source="test",
        ),
        checkerboard(
            SHAPE,
            scheme="second",
            common_parity=0,
            towers=quadrants(SHAPE, (3, 2, 1, 0)),
            labels=("a", "b", "c", "d", "common"),
            source="test",
        ),
    ),
)


@dataclass(frozen=True)
class StandIn:
    """What evaluation asks of showers."""

    detector: Detector
    cells: Any
    conditions: Any
    particle: Any
    pdg: Any = None
    cpu_seconds: Any = None
    provenance: Any = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cells)


def energies(particles, seed):
    return np.random.default_rng(seed).uniform(20, 400, particles)


def showers(energy, repeats, seed, *, first_particle=0, brightness=1.0):
    """Gamma-Poisson showers whose mean is the energy of their particle."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(len(energy)), repeats)
    x, y = np.indices(SHAPE)
    shape = np.exp(-((x - 2.2) ** 2 + (y - 2.7) ** 2) / 4).ravel()
    total = brightness * energy[rows] * rng.gamma(80, 1 / 80, len(rows))
    cells = rng.poisson(total[:, None] * shape / shape.sum()).astype(np.uint16)
    conditions = np.stack([energy[rows], np.full(len(rows), 939.6), np.zeros(len(rows))], axis=1)
    return StandIn(SMALL, cells, conditions, rows + first_particle)
