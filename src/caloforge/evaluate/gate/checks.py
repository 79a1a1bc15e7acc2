"""Checks of the gate: each compares generated with real rows that should be exchangeable.

Shapes: N pooled rows, K cells, P units, S strata, c channels, B permutations.

A new check is one function ``(GateInputs) -> PermutationResult`` and one row of ``checks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.gate.limits import CheckResult
from caloforge.evaluate.gate.permutation import (
    UNDEFINED,
    Labels,
    PermutationResult,
    PooledSample,
    mean_difference,
    medians_within,
    permutation_result,
    permuted_labels,
    ranks_within,
)
from caloforge.evaluate.resampling import Indices

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Distances:
    """Distances between all showers of one stratum, in units of their mean.  (n, n)"""

    rows: Indices
    between: Values


def distances_within(pooled: PooledSample) -> list[Distances]:
    """Euclidean distances of the square roots of the cells (of the cells, if signed).

    A square root makes the noise of a Poisson count the same for all counts (Bartlett 1936).
    Strata in which all showers are equal are left out.
    """
    order = np.argsort(pooled.stratum, kind="stable")
    edges = np.flatnonzero(np.diff(pooled.stratum[order])) + 1
    distances = []
    for rows in np.split(order, edges):
        cells = np.asarray(pooled.cells[rows], dtype=np.float64)
        cells = cells if pooled.detector.signed else np.sqrt(cells)
        squares = np.einsum("nk,nk->n", cells, cells)
        between = np.sqrt(np.maximum(squares[:, None] + squares - 2 * cells @ cells.T, 0))
        np.fill_diagonal(between, 0)
        if between.any():
            distances.append(Distances(rows, between / between.mean()))
    return distances


def energy_and_diversity(distances: list[Distances], labels: Labels) -> tuple[Values, Values]:
    """Energy distance, and within-generated minus within-real distance.  (1 + B, N) -> (1 + B,) x 2

    E = 2 <generated, real> - <generated, generated'> - <real, real'> (Szekely & Rizzo 2013), both
    as means over strata weighted by their rows.
    """
    energy, diversity, weight = np.zeros(len(labels)), np.zeros(len(labels)), 0.0
    for stratum in distances:
        generated = labels[:, stratum.rows].astype(np.float64)
        true = 1 - generated
        n, m = true[0].sum(), generated[0].sum()
        if n < 1 or m < 1:
            continue
        share = n * m / (n + m)
        weight += share
        towards_generated = generated @ stratum.between
        cross = np.einsum("bn,bn->b", towards_generated, true) / (n * m)
        inside = np.einsum("bn,bn->b", towards_generated, generated) / max(m * (m - 1), 1)
        real = np.einsum("bn,bn->b", true @ stratum.between, true) / max(n * (n - 1), 1)
        energy += share * (2 * cross - inside - real)
        diversity += share * (inside - real)
    return energy / max(weight, 1e-30), diversity / max(weight, 1e-30)


PERMUTATIONS = 200
PRIOR_ROWS = 4
"""Rows that the usual relative variance counts for when that of a particle is estimated."""


@dataclass(frozen=True)
class GateInputs:
    """Pooled rows, random permutations of their labels, and training showers."""

    pooled: PooledSample
    labels: Labels
    """The true labels, then permutations of them.  (1 + B, N)"""
    train_bytes: frozenset[bytes] | None = None
    """Training showers as bytes; None where the training showers are not given."""

    @cached_property
    def images(self) -> tuple[Values, Values]:
        """Energy distance and difference in diversity under all labels.  (1 + B,) each"""
        return energy_and_diversity(distances_within(self.pooled), self.labels)


@dataclass(frozen=True)
class Check:
    """One question; its answer is a difference of generated and real in sigma."""

    name: str
    title: str
    of: Callable[[GateInputs], PermutationResult]


def gate_inputs(
    pooled: PooledSample,
    train_bytes: frozenset[bytes] | None,
    rng: np.random.Generator,
    count: int = PERMUTATIONS,
) -> GateInputs:
    """Pooled rows with random permutations of their labels."""
    return GateInputs(
        pooled, permuted_labels(pooled.generated, pooled.unit, count, rng), train_bytes
    )


def checks(pooled: PooledSample) -> tuple[Check, ...]:
    """All checks of pooled rows; those of whole showers, then every channel and observable."""
    return tuple(_chosen(pooled))


def _chosen(pooled: PooledSample) -> Iterator[Check]:
    yield Check("showers", "whole showers (energy distance)", whole_showers)
    yield Check("diversity", "diversity of the showers of a particle", diversity)
    yield Check("channel_sums", "channel sums of a particle (W1)", channel_sums)
    yield Check("energy_scale", "scale of the total", energy_scale)
    yield Check("copies", "copies of training showers", copies)
    names = [*pooled.labels, *(name for name in pooled.observed.values if name != "empty")]
    yield Check("location_empty", "empty showers", empty)
    yield Check("together", "channels that fluctuate together", together)
    for name in names:
        yield Check(f"location_{name}", f"{name}: position", partial(location, name=name))
    for name in names:
        yield Check(f"spread_{name}", f"{name}: spread", partial(spread, name=name))


def whole_showers(inputs: GateInputs) -> PermutationResult:
    """Energy distance of the images inside a stratum, in units of the mean distance."""
    return permutation_result(inputs.images[0], one_sided=True)


def diversity(inputs: GateInputs) -> PermutationResult:
    """Distance between generated minus that between real showers, in units of the mean."""
    return permutation_result(inputs.images[1], one_sided=False)


def channel_sums(inputs: GateInputs) -> PermutationResult:
    """W1 of the channel sums inside a stratum, mean over channels, above that of permutations.

    All rows of a stratum take part, so it is no conditional W1 (``metrics.wasserstein``), which is
    taken at equal numbers with the bootstrap error of an estimate. This one only asks whether the
    labels can be permuted, and sees smaller differences.
    """
    pooled = inputs.pooled
    total = np.zeros(len(inputs.labels))
    for channel in pooled.observed.channels.T:
        total += w1_within(channel, inputs.labels, pooled.stratum)
    return permutation_result(total / pooled.observed.channels.shape[1], one_sided=True)


def w1_within(values: Values, labels: Labels, stratum: NDArray[np.int64]) -> Values:
    """Mean over strata of W1 between both sides, under all labels.  (N,), (1 + B, N) -> (1 + B,)"""
    order = np.lexsort((values, stratum))
    gaps = np.diff(values[order]) * (np.diff(stratum[order]) == 0)
    n_generated = np.bincount(stratum[labels[0]], minlength=stratum.max() + 1)
    true = np.bincount(stratum[~labels[0]], minlength=stratum.max() + 1)
    shares = 1 / np.maximum(n_generated, 1), -1 / np.maximum(true, 1)
    up, down = (share[stratum[order]] for share in shares)
    w1 = np.empty(len(labels))
    for number, row in enumerate(labels):
        heights = np.cumsum(np.where(row[order], up, down))[:-1]
        w1[number] = np.abs(heights) @ gaps
    return w1 / len(n_generated)


def energy_scale(inputs: GateInputs) -> PermutationResult:
    """Relative difference of the total, particles weighted by how well they are known.

    The weight is the inverse of the pooled relative variance of a particle, drawn towards the
    median one, since eight showers tell a variance roughly.
    """
    pooled = inputs.pooled
    total = pooled.value("total")
    count = np.bincount(pooled.unit)
    mean = np.bincount(pooled.unit, total) / count
    nonzero = mean > 0
    if pooled.detector.signed or not nonzero.any():
        return UNDEFINED
    relative = np.where(
        nonzero[pooled.unit], total / np.where(nonzero, mean, 1)[pooled.unit], np.nan
    )
    square = np.bincount(pooled.unit, np.nan_to_num((relative - 1) ** 2)) / np.maximum(count - 1, 1)
    usual = np.median(square[nonzero])
    variance = ((count - 1) * square + PRIOR_ROWS * usual) / (count - 1 + PRIOR_ROWS)
    n_generated = np.bincount(pooled.unit[pooled.generated], minlength=len(count))
    share = n_generated * (count - n_generated) / count
    weight = np.where(nonzero & (variance > 0), share / np.maximum(variance, 1e-30), 0)
    return mean_difference(relative, pooled.generated, pooled.unit, weight)


def copies(inputs: GateInputs) -> PermutationResult:
    """Fraction of the lit showers that equal a training shower, generated minus real."""
    if inputs.train_bytes is None:
        return UNDEFINED
    cells = inputs.pooled.cells
    same = np.array([float(row.tobytes() in inputs.train_bytes) for row in cells])
    return mean_difference(
        np.where(cells.any(axis=1), same, np.nan), inputs.pooled.generated, inputs.pooled.unit
    )


def empty(inputs: GateInputs) -> PermutationResult:
    """Fraction of empty showers, generated minus real."""
    pooled = inputs.pooled
    return mean_difference(pooled.value("empty"), pooled.generated, pooled.unit)


def location(inputs: GateInputs, *, name: str) -> PermutationResult:
    """Mean rank inside the stratum, generated minus real: van Elteren's test (1960)."""
    pooled = inputs.pooled
    ranks = ranks_within(pooled.value(name), pooled.stratum)
    return mean_difference(ranks, pooled.generated, pooled.unit)


def spread(inputs: GateInputs, *, name: str) -> PermutationResult:
    """The same of the distance from the middle of the stratum, both sides together."""
    pooled = inputs.pooled
    values = pooled.value(name)
    away = np.abs(values - medians_within(values, pooled.stratum))
    return mean_difference(ranks_within(away, pooled.stratum), pooled.generated, pooled.unit)


def together(inputs: GateInputs) -> PermutationResult:
    """Whether channels deviate together: sum over pairs of products of their deviations.

    Deviations are ranks about the middle, hence the value is a difference of rank covariances.
    """
    pooled = inputs.pooled
    if len(pooled.labels) < 2:
        return UNDEFINED
    ranks = np.stack(
        [ranks_within(v, pooled.stratum) - 0.5 for v in pooled.observed.channels.T], axis=1
    )
    pairs = ranks.sum(axis=1) ** 2 - (ranks**2).sum(axis=1)
    return mean_difference(pairs, pooled.generated, pooled.unit)


def shower_bytes(cells: NDArray[np.generic]) -> frozenset[bytes]:
    """Lit showers as bytes, for the search of copies.  (M, K)"""
    return frozenset(row.tobytes() for row in cells[cells.any(axis=1)])


def check_all(inputs: GateInputs) -> tuple[CheckResult, ...]:
    """The results of all checks."""
    results = []
    for check in checks(inputs.pooled):
        result = check.of(inputs)
        results.append(
            CheckResult(check.name, check.title, result.value, result.error, result.sigma)
        )
    return tuple(results)
