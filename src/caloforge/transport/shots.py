"""What a transport engine is asked and what it answers: one shot in, one shower out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.features import Description
from caloforge.transport.light import LIGHT_SCALE


class Setup(Description):
    """All that decides a shower besides the shot itself; part of the record of the output."""

    detector: str
    geometry: str
    """JSON of the geometry, so that a worker builds what the caller described."""
    physics: tuple[str, ...]
    """Constructors of the physics list, in order."""
    cut_mm: float
    scoring: str
    tables: str
    """Folder of the data tables."""
    tables_kind: str
    light_scale: float = LIGHT_SCALE
    light_table: str | None = None
    profile: bool = False
    """Whether the depth profile of each shower is returned too."""


@dataclass(frozen=True)
class Shot:
    """One particle at the front face (x, y in mm from its middle, z = 0), and the engine's seed."""

    index: int
    pdg: int
    kinetic_gev: float
    position_mm: tuple[float, float]
    direction: tuple[float, float, float]
    seed: int


@dataclass(frozen=True)
class Shower:
    """What the calorimeter saw of a shot."""

    index: int
    cells: NDArray[np.float32]
    """Counts or GeV of each flat cell.  (K,)"""
    overflow: NDArray[np.float32]
    """GeV outside the cells, of each layer; empty for fibre calorimeters.  (L,)"""
    profile: NDArray[np.float32]
    """Signal along the depth where it was asked for, else empty.  (bins,)"""
    cpu_seconds: float


def shower_seed(seed: int, particle: int, repeat: int) -> int:
    """Seed of the engine for one shower: it depends on nothing else, so any worker can redo it."""
    state = np.random.SeedSequence([seed, particle, repeat]).generate_state(2, np.uint32)
    return int((int(state[0]) << 31 | int(state[1]) >> 1) & (2**62 - 1)) or 1
