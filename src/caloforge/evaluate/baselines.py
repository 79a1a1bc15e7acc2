"""What anyone can do without a network: the rows of the table that a simulator has to beat.

Shapes: N real rows, M training rows, K cells, P particles. A baseline gives one shower
for each real row; a new one is one function and one row of ``BASELINES``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.derive import evaluate_features
from caloforge.data.deviations import deviations, divisors
from caloforge.data.showers import Showers
from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.evaluate import resampling
from caloforge.evaluate.resampling import Indices
from caloforge.simulator.sampling import Sampling, draw_counts

MODEL, REAL = "model", "real"
"""Names of the generated and of the real showers beside the baselines."""
ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class Baseline:
    """A way to produce showers without a simulator."""

    name: str
    title: str
    needs_training: bool
    of: Callable[[Showers, Showers, np.random.Generator], NDArray[Any]]
    """(real, train, rng) -> cells (N, K), one shower for each row of ``real``."""


def nearest(real: Showers, train: Showers, rng: np.random.Generator) -> NDArray[Any]:
    """Random training showers of the nearest training particle, each once if enough.  (N, K)"""
    _, train_index = resampling.index_particles(train.particle)
    _, real_index = resampling.index_particles(real.particle)
    return train.cells[_rows_of(nearest_particle(real, train), real_index, train_index, rng)]


def mean_image(real: Showers, train: Showers, rng: np.random.Generator) -> NDArray[Any]:
    """Mean image of the nearest training particle, rounded without bias.  (N, K)"""
    particles, train_index = resampling.index_particles(train.particle)
    _, real_index = resampling.index_particles(real.particle)
    means = mean_images(train.cells, train_index, len(particles))
    nearest = nearest_particle(real, train)[real_index]
    sampling: Sampling = "rounding" if real.detector.counts else "continuous"
    blocks = [
        draw_counts(means[nearest[start : start + ROWS_AT_ONCE]], sampling, rng)
        for start in range(0, len(nearest), ROWS_AT_ONCE)
    ]
    return np.concatenate(blocks)


def replayed(real: Showers, train: Showers, rng: np.random.Generator) -> NDArray[Any]:
    """Training showers at random, whatever the conditions.  (N, K)"""
    return train.cells[rng.integers(0, len(train.cells), len(real.cells))]


def shuffled(real: Showers, train: Showers, rng: np.random.Generator) -> NDArray[Any]:
    """Real showers whose particles are permuted, none staying in place.  (N, K)"""
    particles, particle_index = resampling.index_particles(real.particle)
    order = rng.permutation(len(particles))
    source = np.empty_like(order)
    source[order] = np.roll(order, 1)
    return real.cells[_rows_of(source, particle_index, particle_index, rng)]


BASELINES: tuple[Baseline, ...] = (
    Baseline("nearest", "shower of nearest particle", True, nearest),
    Baseline("mean_image", "mean image of nearest", True, mean_image),
    Baseline("replayed", "training replayed", True, replayed),
    Baseline("shuffled", "real, shuffled conditions", False, shuffled),
)


def as_showers(real: Showers, cells: NDArray[Any]) -> Showers:
    """The cells with the conditions and particles of the real rows."""
    return dataclasses.replace(real, cells=cells, cpu_seconds=None, overflow=None)


def nearest_particle(real: Showers, train: Showers) -> Indices:
    """Index of the nearest training particle of each particle.  (P,)

    Euclidean distance of the standardised coordinates, among particles of the same kind (pdg, or
    mass and charge); among all where training has none of that kind.
    """
    from scipy.spatial import cKDTree

    (real_points, real_kind), (points, kind) = (
        _particles(showers, _shares_pdg(real, train)) for showers in (real, train)
    )
    middle, scale = points.mean(axis=0), deviations(points)
    # A coordinate that does not vary in training tells nothing of who is near.
    factor = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0)
    real_points, points = (real_points - middle) * factor, (points - middle) * factor
    nearest = np.empty(len(real_points), dtype=np.int64)
    for this in np.unique(real_kind, axis=0):
        rows = (real_kind == this).all(axis=1)
        same = np.flatnonzero((kind == this).all(axis=1))
        among = same if len(same) else np.arange(len(points))
        nearest[rows] = among[cKDTree(points[among]).query(real_points[rows])[1]]
    return nearest


def coordinates(detector: Detector, conditions: NDArray[np.float64]) -> NDArray[np.float64]:
    """What says where a particle is and how hard it hits: no waves.  (N, C) -> (N, coordinates)

    Waves of the impact point are an encoding for networks: every period has its own neighbours,
    so that they blur a distance.
    """
    features = tuple(f for f in detector.features if f.kind in ("value", "log", "slope", "impact"))
    return evaluate_features(features, detector.columns, conditions)


def _particles(showers: Showers, by_pdg: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates and kind of each particle, in the order of slots.  (P, F), (P, kinds)"""
    _, particle_index = resampling.index_particles(showers.particle)
    first = np.unique(particle_index, return_index=True)[1]
    conditions = showers.conditions[first]
    columns = [n for n, name in enumerate(showers.detector.columns) if name in ("mass", "charge")]
    kind = np.round(conditions[:, columns], 3)
    if by_pdg and showers.pdg is not None:
        kind = np.asarray(showers.pdg, dtype=np.float64)[first, None]
    return coordinates(showers.detector, conditions), kind


def _shares_pdg(real: Showers, train: Showers) -> bool:
    return real.pdg is not None and train.pdg is not None


def _rows_of(
    source: Indices, particle_index: Indices, source_index: Indices, rng: np.random.Generator
) -> Indices:
    """Rows of the source particle of each row, in random order, again when they run out.  (N,)

    ``source`` (P,) names the source slot of each slot.
    """
    order = np.lexsort((rng.random(len(source_index)), source_index))
    counts = np.bincount(source_index)
    starts = np.cumsum(counts) - counts
    grouped = np.argsort(particle_index, kind="stable")
    numbers = np.bincount(particle_index)
    rank = np.empty(len(particle_index), dtype=np.int64)
    rank[grouped] = np.arange(len(particle_index)) - np.repeat(
        np.cumsum(numbers) - numbers, numbers
    )
    particle = source[particle_index]
    return order[starts[particle] + rank % counts[particle]]


def mean_images(
    cells: NDArray[Any], particle_index: Indices, particles: int
) -> NDArray[np.float32]:
    """Mean over the rows of each particle.  (M, K) -> (P, K)"""
    order = np.argsort(particle_index, kind="stable")
    counts = np.bincount(particle_index, minlength=particles)
    sums = np.add.reduceat(cells[order].astype(np.float32), np.cumsum(counts) - counts, axis=0)
    return (sums / counts[:, None]).astype(np.float32)


def joined(real: Showers, generated: Showers) -> Showers:
    """The rows of both samples, kinds only where both tell them; DataError for two detectors."""
    require_same_detector(real, generated)
    with_pdg = real.pdg is not None and generated.pdg is not None
    return dataclasses.replace(
        real,
        cells=np.concatenate([real.cells, generated.cells]),
        conditions=np.concatenate([real.conditions, generated.conditions]),
        particle=np.concatenate([real.particle, generated.particle]),
        pdg=np.concatenate([real.pdg, generated.pdg]) if with_pdg else None,
        cpu_seconds=None,
        overflow=None,
    )


def require_same_detector(real: Showers, *others: Showers) -> None:
    """Raise DataError for showers of another detector than the real ones."""
    for showers in others:
        if showers.detector.fingerprint != real.detector.fingerprint:
            raise DataError(f"{showers.detector.name} showers against {real.detector.name} showers")


Values = NDArray[np.float64]
ROWS_IN_BAND = 32
"""At most so many rows: enough for a spread, few enough for conditions that are alike."""


def bands_of(showers: Showers, most: int = ROWS_IN_BAND) -> Indices:
    """Number of the band of each row: halves of halves of the coordinates.  (N,)

    The longest side (of the standardised coordinates, the kind of particle first) is cut at its
    median until a band holds at most ``most`` rows, as a k-d tree does (Bentley 1975).
    """
    points = coordinates(showers.detector, showers.conditions)
    points = points / divisors(points)
    kinds = np.zeros(len(points), dtype=np.int64)
    if showers.pdg is not None:
        kinds = np.unique(showers.pdg, return_inverse=True)[1].reshape(-1)
    band = np.empty(len(points), dtype=np.int64)
    groups = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    number = 0
    while groups:
        rows = groups.pop()
        sides = np.ptp(points[rows], axis=0) if points.shape[1] else np.zeros(1)
        if len(rows) <= most or sides.max() == 0:
            band[rows], number = number, number + 1
            continue
        order = rows[np.argsort(points[rows, sides.argmax()], kind="stable")]
        groups += [order[: len(order) // 2], order[len(order) // 2 :]]
    return band
