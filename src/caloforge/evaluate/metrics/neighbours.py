"""Nearest neighbours of two samples: fidelity, coverage, and copies of training showers.

Shapes: n and m showers, d features (or cells).

Precision and recall: arXiv:1904.06991; density and coverage: arXiv:2002.09797. With B_k(x) the ball
around x that reaches its k-th neighbour of the same sample: precision = part of the generated
showers inside some real ball; density = mean number of real balls around a generated shower / k;
recall = part of the real showers inside some generated ball; coverage = part of the real balls that
hold a generated shower.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.deviations import divisors
from caloforge.data.showers import Showers
from caloforge.errors import DataError
from caloforge.evaluate.metrics.metric import Metric, MetricResult, Samples
from caloforge.evaluate.resampling import Measured, measured, resamplings

Values = NDArray[np.float64]
NEIGHBOURS = 5
MOST_ROWS = 5_000
"""Rows a side: a table of distances of 5 000 showers takes 200 MB."""
SUBSAMPLES = 10


@dataclass(frozen=True)
class Fidelity:
    """The four numbers; each is best at its own real-against-real value."""

    precision: Measured
    density: Measured
    recall: Measured
    coverage: Measured


def fidelity(
    real: Values,
    generated: Values,
    *,
    rng: np.random.Generator,
    neighbours: int = NEIGHBOURS,
    most_rows: int = MOST_ROWS,
) -> Fidelity:
    """All four numbers on at most 5 000 rows a side.  (n, d), (m, d)

    Errors: half samples drawn without replacement, whose spread is that of the whole (delete-half
    jackknife, Shao & Wu 1989).

    Args:
        real: Features of real showers, (n, d).
        generated: The same of generated showers, (m, d).
        rng: Random numbers of the draws.
        neighbours: Nearest neighbours that make the reach of a shower, k.
        most_rows: Rows a side that are used.

    Raises:
        DataError: a sample has fewer than 2 k + 2 rows.

    References:
        Kynkäänniemi et al., arXiv:1904.06991; Naeem et al., arXiv:2002.09797.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> real = rng.normal(0.0, 1.0, (200, 3))
        >>> narrow = fidelity(real, rng.normal(0.0, 0.3, (200, 3)), rng=rng)
        >>> narrow.precision.value > 0.9 > 0.7 > narrow.recall.value
        True
    """
    real, generated = _at_most(real, most_rows, rng), _at_most(generated, most_rows, rng)
    if min(len(real), len(generated)) < 2 * neighbours + 2:
        raise DataError(f"nearest neighbours need at least {2 * neighbours + 2} showers a side")
    mean, scale = real.mean(axis=0), divisors(real)
    # Half the memory; standardised features need no more digits.
    standard = (((one - mean) / scale).astype(np.float32) for one in (real, generated))
    tables = _tables(*standard)
    whole = four_numbers(tables[0], tables[1], tables[2], neighbours)
    halves = []
    for _ in range(SUBSAMPLES):
        a = rng.permutation(len(real))[: len(real) // 2]
        b = rng.permutation(len(generated))[: len(generated) // 2]
        within_real, within_generated, cross = tables
        part = within_real[np.ix_(a, a)], within_generated[np.ix_(b, b)], cross[np.ix_(a, b)]
        halves.append(four_numbers(*part, neighbours))
    errors = np.std(halves, axis=0, ddof=1)
    return Fidelity(*(Measured(float(v), float(e)) for v, e in zip(whole, errors, strict=True)))


def four_numbers(
    real: NDArray[Any], generated: NDArray[Any], cross: NDArray[Any], neighbours: int
) -> Values:
    """Precision, density, recall, coverage from squared distances (n, n), (m, m), (n, m).  (4,)"""
    # Place 0 of a row of distances to the own sample is the shower itself.
    reach = np.partition(real, neighbours, axis=1)[:, neighbours]
    reach_generated = np.partition(generated, neighbours, axis=1)[:, neighbours]
    inside = cross <= reach[:, None]
    return np.array(
        [
            inside.any(axis=0).mean(),
            inside.sum(axis=0).mean() / neighbours,
            (cross <= reach_generated[None, :]).any(axis=1).mean(),
            inside.any(axis=1).mean(),
        ]
    )


def nearest_distances(
    sample: NDArray[np.generic], others: NDArray[np.generic], *, rows: int = 512
) -> tuple[Values, NDArray[np.int64]]:
    """Euclidean distance to the nearest of the others, and its row.  (n, K), (m, K) -> (n,) x 2"""
    lengths = _squares(others)
    distance, place = np.empty(len(sample)), np.empty(len(sample), dtype=np.int64)
    wide = others.astype(np.float32)
    for start in range(0, len(sample), rows):
        block = sample[start : start + rows].astype(np.float32)
        squared = _squares(block)[:, None] + lengths - 2 * (block @ wide.T)
        place[start : start + rows] = squared.argmin(axis=1)
        nearest = wide[place[start : start + rows]]
        distance[start : start + rows] = np.sqrt(_squares(block - nearest))
    return distance, place


def _tables(real: NDArray[Any], generated: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Squared distances inside the real, inside the generated, and between them."""
    pairs = (real, real), (generated, generated), (real, generated)
    first, second, cross = (
        np.maximum(_squares(a)[:, None] + _squares(b) - 2 * a @ b.T, 0) for a, b in pairs
    )
    np.fill_diagonal(first, 0)
    np.fill_diagonal(second, 0)
    return first, second, cross


def _squares(sample: NDArray[np.generic]) -> NDArray[Any]:
    wide = sample.astype(np.result_type(sample.dtype, np.float32))
    return np.einsum("nk,nk->n", wide, wide)


def _at_most(sample: Values, rows: int, rng: np.random.Generator) -> Values:
    sample = sample[np.isfinite(sample).all(axis=1)]
    if len(sample) <= rows:
        return sample
    return sample[np.sort(rng.choice(len(sample), rows, replace=False))]


MOST_JUDGED_ROWS = 2_000
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
    """Distances in the space of cells (2-norm, as the CaloGAN paper's picture).

    Args:
        real: Real showers, which set the scale.
        generated: Showers that could be copies.
        train: Showers that the generator was trained on.
        rng: Random numbers of the draws where there are many showers.

    References:
        Paganini, de Oliveira & Nachman, arXiv:1712.10321, Fig. 9.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("alice_zp"))
        >>> real, train = showers.rows(slice(0, 100)), showers.rows(slice(200, 400))
        >>> memory = memorisation(real, train, train, rng=np.random.default_rng(0))
        >>> memory.ratio.value, memory.copies.value
        (0.0, 1.0)
    """
    sample_rows = [_some(showers, MOST_JUDGED_ROWS, rng) for showers in (real, generated)]
    train_rows = _some(train, MOST_TRAINING_ROWS, rng)
    neighbours = []
    for showers, rows in zip((real, generated), sample_rows, strict=True):
        neighbours.append(nearest_distances(showers.cells[rows], train.cells[train_rows]))
    parts = [
        _weighted(showers.particle[rows], distance, rng)
        for showers, rows, (distance, _) in zip(
            (real, generated), sample_rows, neighbours, strict=True
        )
    ]
    fractions = [_copied(s, train, rng) for s in (generated, real)]
    below = np.where(parts[0] > 0, parts[0], np.nan)
    return Memory(
        ratio=measured(parts[1] / below),
        copies=fractions[0],
        natural=fractions[1],
        generated_rows=sample_rows[1],
        nearest=train_rows[neighbours[1][1]],
        distance=neighbours[1][0],
    )


def _copied(showers: Showers, train: Showers, rng: np.random.Generator) -> Measured:
    """Part of the lit showers that equal a training shower, errors over particles."""
    train_bytes = {row.tobytes() for row in train.cells}
    nonempty = np.flatnonzero(showers.cells.any(axis=1))
    if not len(nonempty):
        return Measured(None, None, "all showers are empty")
    same = np.array([float(row.tobytes() in train_bytes) for row in showers.cells[nonempty]])
    return measured(_weighted(showers.particle[nonempty], same, rng))


def _weighted(particle: NDArray[np.int64], values: Values, rng: np.random.Generator) -> Values:
    """Mean under all resamplings of the particles.  (1 + B,)"""
    _, particle_index = np.unique(particle, return_inverse=True)
    particle_index = particle_index.reshape(-1)
    weights = resamplings(int(particle_index.max()) + 1, RESAMPLINGS, rng)[:, particle_index]
    return weights @ values / weights.sum(axis=1)


def _some(showers: Showers, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of lit showers, at most so many; any where all are empty."""
    nonempty = np.flatnonzero(showers.cells.any(axis=1))
    nonempty = nonempty if len(nonempty) else np.arange(len(showers))
    return nonempty if len(nonempty) <= rows else np.sort(rng.choice(nonempty, rows, replace=False))


def results(samples: Samples) -> Iterator[MetricResult]:
    """Copies of training showers, where training showers are given."""
    if samples.train is None or not len(samples.train):
        return
    memory = memorisation(samples.real, samples.generated, samples.train, rng=samples.rng)
    row = partial(Metric, ideal="floor", group="two_sample")
    yield MetricResult(row("copies", COPIES_TITLE), memory.copies, memory.natural)
    one = Measured(1.0, None)
    yield MetricResult(row("nearest_training", NEAREST_TITLE), memory.ratio, one)


COPIES_TITLE = "copies of training showers"
NEAREST_TITLE = "distance to the nearest training shower, over that of real showers"
