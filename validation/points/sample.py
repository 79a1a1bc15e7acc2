"""Points of the 2-D benchmark, drawn from its nine centres and two spreads.

Shapes: N rows = 18 clusters x n points; rows of a cluster are adjacent.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import Showers
from caloforge.detectors.points import CENTRES, DEVIATIONS, POINTS

CLUSTERS = len(CENTRES) * len(DEVIATIONS)
"""Cluster 2 k + s is class k with spread bit s."""

DRAWS = {"train": (1000, 1), "validation": (1000, 2), "test": (1000, 3), "large": (5000, 4)}
"""Points per cluster and seed of each draw. Only ``validation`` chooses anything."""


@lru_cache(maxsize=len(DRAWS))
def sample_of(name: str) -> Showers:
    """The named draw; the same in every run."""
    number, seed = DRAWS[name]
    return draw(number, np.random.default_rng(seed))


def draw(number: int, rng: np.random.Generator) -> Showers:
    """So many real points of each cluster; a cluster is what elsewhere is a particle."""
    cluster = np.arange(CLUSTERS).repeat(number)
    kind, spread = np.divmod(cluster, 2)
    noise = rng.normal(size=(len(cluster), 2)) * np.array(DEVIATIONS)[spread, None]
    cells = (np.array(CENTRES)[kind] + noise).astype(np.float32)
    return Showers(POINTS, cells, conditions(cluster), cluster)


def conditions(cluster: NDArray[np.int64]) -> NDArray[np.float64]:
    """Class columns and spread bit of clusters.  (N,) -> (N, 10)"""
    kind, spread = np.divmod(cluster, 2)
    return np.concatenate([np.eye(len(CENTRES))[kind], spread[:, None]], axis=1)


def checksum(points: Showers) -> str:
    """SHA-256 of coordinates and clusters."""
    return hashlib.sha256(points.cells.tobytes() + points.particle.tobytes()).hexdigest()
