"""Does a generator repeat training showers? The distance to the nearest one, against real showers.

Shapes: N judged rows, M training rows, K cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.measured import Measured, measured, resamplings
from caloforge.evaluate.neighbours import nearest_distances

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
MOST_ROWS = 2_000
MOST_TRAINING_ROWS = 20_000
RESAMPLINGS = 200


@dataclass(frozen=True)
class Memory:
    """Nearest training shower of generated and of real showers, and what it means."""

    ratio: Measured
    """Mean distance of generated showers over that of real ones: 1 ideal, towards 0 for copies."""
    copies: Measured
    """Part of the lit generated showers that equal a training shower."""
    natural: Measured
    """The same part of the real showers: faint showers are equal by chance."""
    generated_rows: NDArray[np.int64]
    nearest: NDArray[np.int64]
    """Training row nearest to each of ``generated_rows``."""
    distance: Values


def memorisation(
    real: Showers, generated: Showers, train: Showers, *, rng: np.random.Generator
) -> Memory:
    """Distances in the space of cells (2-norm, as the CaloGAN paper's picture)."""
    chosen = [_some(showers, MOST_ROWS, rng) for showers in (real, generated)]
    known = _some(train, MOST_TRAINING_ROWS, rng)
    found = []
    for showers, rows in zip((real, generated), chosen, strict=True):
        found.append(nearest_distances(showers.cells[rows], train.cells[known]))
    parts = [
        _weighted(showers.particle[rows], distance, rng)
        for showers, rows, (distance, _) in zip((real, generated), chosen, found, strict=True)
    ]
    copied = [_copied(s, train, rng) for s in (generated, real)]
    below = np.where(parts[0] > 0, parts[0], np.nan)
    return Memory(
        ratio=measured(parts[1] / below),
        copies=copied[0],
        natural=copied[1],
        generated_rows=chosen[1],
        nearest=known[found[1][1]],
        distance=found[1][0],
    )


def _copied(showers: Showers, train: Showers, rng: np.random.Generator) -> Measured:
    """Part of the lit showers that equal a training shower, errors over particles."""
    known = {row.tobytes() for row in train.cells}
    lit = np.flatnonzero(showers.cells.any(axis=1))
    if not len(lit):
        return Measured(None, None, "all showers are empty")
    same = np.array([float(row.tobytes() in known) for row in showers.cells[lit]])
    return measured(_weighted(showers.particle[lit], same, rng))


def _weighted(particle: NDArray[np.int64], values: Values, rng: np.random.Generator) -> Values:
    """Mean under all resamplings of the particles.  (1 + B,)"""
    _, slot = np.unique(particle, return_inverse=True)
    slot = slot.reshape(-1)
    weights = resamplings(int(slot.max()) + 1, RESAMPLINGS, rng)[:, slot]
    mean: Values = weights @ values / weights.sum(axis=1)
    return mean


def _some(showers: Showers, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of lit showers, at most so many; any where all are empty."""
    lit = np.flatnonzero(showers.cells.any(axis=1))
    lit = lit if len(lit) else np.arange(len(showers))
    return lit if len(lit) <= rows else np.sort(rng.choice(lit, rows, replace=False))
