"""Checks of the gate: each compares generated with real rows that should be exchangeable.

Shapes: N pooled rows, K cells, P units, S strata, c channels, B permutations.

A new check is one function ``(GateInputs) -> PermutationResult`` and one row of ``checks``.

Permutation tests: whether generated rows can be exchanged for real ones of the same particle.

Shapes: N pooled rows, the real ones first; P units, S strata, K cells, c channels, B permutations.

If generated showers are as good as real ones, then inside a *unit* (all rows of one particle) it
does not matter which row is called generated. What is compared inside a *stratum* is the particle
itself where it has repeats, else a band of conditions that are nearly alike.

A sum over units of a difference of means has mean 0 and a known variance when labels are permuted
(finite population, Cochran 1977, ch. 2): no random numbers, exact for any law of the showers. Other
statistics get their law from random permutations; the tail beyond what B permutations show is that
of a gamma law with the same mean, variance and skewness (Pearson type III; Mielke & Berry,
"Permutation Methods", 2007). A result is given in sigma: the normal deviate with the same
probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.evaluate import resampling
from caloforge.evaluate.baselines import bands_of, joined
from caloforge.evaluate.gate.limits import CheckResult
from caloforge.evaluate.observables import Observed, observe
from caloforge.evaluate.resampling import Indices


def ranks_within(values: Values, stratum: Indices) -> Values:
    """Rank of each value in its stratum over n + 1, ties averaged: between 0 and 1.  (N,)

    NaN stays NaN and is not counted.
    """
    result = np.full(len(values), np.nan)
    there = np.flatnonzero(np.isfinite(values))
    if not len(there):
        return result
    order = there[np.lexsort((values[there], stratum[there]))]
    group, value = stratum[order], values[order]
    new_group = np.concatenate([[True], group[1:] != group[:-1]])
    new_value = new_group | np.concatenate([[True], value[1:] != value[:-1]])
    starts = np.flatnonzero(new_group)
    first = np.repeat(starts, np.diff(np.append(starts, len(order))))
    place = np.arange(len(order)) - first + 1.0
    tie = np.cumsum(new_value) - 1
    numbers = np.bincount(group)
    result[order] = (np.bincount(tie, place) / np.bincount(tie))[tie] / (numbers[group] + 1)
    return result


def medians_within(values: Values, stratum: Indices) -> Values:
    """Median of the values of each row's stratum, NaN without any.  (N,)"""
    strata = int(stratum.max(initial=-1)) + 1
    there = np.isfinite(values)
    order = np.lexsort((values[there], stratum[there]))
    ordered, group = values[there][order], stratum[there][order]
    numbers = np.bincount(group, minlength=strata)
    starts = np.cumsum(numbers) - numbers
    result = np.full(strata, np.nan)
    nonempty = numbers > 0
    low, high = (starts + (numbers - 1) // 2)[nonempty], (starts + numbers // 2)[nonempty]
    result[nonempty] = (ordered[low] + ordered[high]) / 2
    return result[stratum]


Labels = NDArray[np.bool_]
LEAST_SKEW = 1e-3
ROUNDING = 1e-12
LARGEST_SIGMA = 37.0
"""Beyond it a probability underflows; more would only pretend to be exact."""


@dataclass(frozen=True)
class PermutationResult:
    """A difference of generated and real, its error if there is none, and the sigma of it."""

    value: float
    error: float
    sigma: float


UNDEFINED = PermutationResult(float("nan"), float("nan"), float("nan"))


def mean_difference(
    values: Values, generated: Labels, unit: Indices, weight: Values | None = None
) -> PermutationResult:
    """Weighted mean over units of the mean of generated minus that of real rows.  (N,)

    ``weight`` (P,) may depend on the pooled rows, never on the labels; default n m / (n + m).
    Rows where the value is undefined are left out, as are units that one side is missing from.
    """
    there = np.isfinite(values)
    values, generated, unit = values[there], generated[there], unit[there]
    units = int(unit.max(initial=-1)) + 1
    n_generated = np.bincount(unit[generated], minlength=units)
    true = np.bincount(unit[~generated], minlength=units)
    both = (n_generated > 0) & (true > 0)
    if not both.any():
        return UNDEFINED
    count = np.maximum(n_generated + true, 1)
    centred = values - (np.bincount(unit, values, units) / count)[unit]
    spread = np.bincount(unit, centred**2, units) / np.maximum(count - 1, 1)
    sums = np.bincount(unit[generated], centred[generated], units)
    difference = sums * count / np.maximum(n_generated * true, 1)
    variance = spread * count / np.maximum(n_generated * true, 1)
    share = np.where(both, n_generated * true / count if weight is None else weight[:units], 0.0)
    if share.sum() <= 0:
        return UNDEFINED
    value = float(share @ difference / share.sum())
    error = float(np.sqrt(share**2 @ variance) / share.sum())
    if error <= ROUNDING * float(np.abs(values).max()):
        # Permutations that all give the same say nothing: an error of 0 is none.
        return UNDEFINED
    return PermutationResult(value, error, value / error)


def log_arrangements(generated: Labels, unit: Indices) -> float:
    """Logarithm of the number of ways in which labels can be permuted inside units."""
    from scipy.special import gammaln

    count = np.bincount(unit)
    n_generated = np.bincount(unit[generated], minlength=len(count))
    return float(
        (gammaln(count + 1) - gammaln(n_generated + 1) - gammaln(count - n_generated + 1)).sum()
    )


def permuted_labels(
    generated: Labels, unit: Indices, count: int, rng: np.random.Generator
) -> Labels:
    """The labels themselves, then random permutations of them inside units.  (1 + B, N)"""
    order = np.lexsort((~generated, unit))
    result = np.empty((1 + count, len(unit)), dtype=bool)
    result[0] = generated
    for number in range(1, 1 + count):
        shuffled = np.lexsort((rng.random(len(unit)), unit))
        # The n-th row of a unit at random gets the n-th label of the unit.
        result[number, shuffled] = generated[order]
    return result


def permutation_result(replicates: Values, *, one_sided: bool) -> PermutationResult:
    """The first of the values against the others, which are those of permutations.  (1 + B,)"""
    value, chance = float(replicates[0]), replicates[1:]
    if not np.isfinite(replicates).all():
        return UNDEFINED
    error = float(chance.std(ddof=1))
    if error <= ROUNDING * float(np.abs(replicates).max()):
        return UNDEFINED
    standard = (chance - chance.mean()) / error
    skew = float((standard**3).mean())
    away = (value - float(chance.mean())) / error
    sigma = _equivalent(away, skew) if one_sided or away >= 0 else -_equivalent(-away, -skew)
    return PermutationResult(value - float(chance.mean()), error, sigma)


def _equivalent(away: float, skew: float) -> float:
    """Normal deviate with the upper tail of a Pearson type III law at ``away``."""
    from scipy.special import gammainc, gammaincc, ndtri

    if abs(skew) < LEAST_SKEW:
        return min(away, LARGEST_SIGMA)
    shape = 4 / skew**2
    at = shape + away * np.sqrt(shape) * np.sign(skew)
    # Each tail by itself: 1 minus the other one has lost all digits far out.
    tail = (gammaincc if skew > 0 else gammainc)(shape, max(at, 0.0))
    if tail <= 0:
        return LARGEST_SIGMA
    return float(np.clip(-ndtri(tail), -LARGEST_SIGMA, LARGEST_SIGMA))


LEAST_IN_UNIT = 3
"""Rows of a particle, both sides together, from which it can be a stratum of its own."""


@dataclass(frozen=True)
class PooledSample:
    """Rows of both sides; labels may be exchanged inside a unit."""

    detector: Detector
    labels: tuple[str, ...]
    """Names of the channels, (c,)."""
    observed: Observed
    conditions: Values
    pdg: NDArray[np.int32] | None
    generated: NDArray[np.bool_]
    """Which rows are generated, (N,)."""
    unit: Indices
    """Slot of the unit of each row, (N,)."""
    stratum: Indices
    """Slot of the stratum of each row, (N,); a unit lies in one stratum."""
    repeated: bool
    """Whether a unit has rows enough to be a stratum of its own."""
    shared: bool
    """Whether both sides have the same particles; else units are bands of conditions."""

    @property
    def units(self) -> int:
        """Number of units P."""
        return int(self.unit.max(initial=-1)) + 1

    @property
    def strata(self) -> int:
        """Number of strata S."""
        return int(self.stratum.max(initial=-1)) + 1

    @property
    def cells(self) -> NDArray[Any]:
        """Cells of all rows.  (N, K)"""
        return self.observed.cells

    def value(self, name: str) -> Values:
        """A channel or an observable of all rows.  (N,)"""
        if name in self.labels:
            return self.observed.channels[:, self.labels.index(name)]
        return self.observed.values[name]


def pool_samples(real: Showers, generated: Showers, scheme: str | None = None) -> PooledSample:
    """Both samples in one pool; particles that only one side has are left out.

    Where the sides share no particle, units are bands of the conditions of both. Raises DataError
    for showers of different detectors or when no unit has rows of both sides.
    """
    both = joined(real, generated)
    label = np.arange(len(both)) >= len(real)
    same_particles = bool(np.isin(real.particle, generated.particle).any())
    unit = both.particle if same_particles else bands_of(both)
    mask = _on_both_sides(unit, label)
    if not mask.any():
        raise DataError("no particle and no band of conditions has real and generated showers")
    if not mask.all():
        both, label, unit = both.rows(np.flatnonzero(mask)), label[mask], unit[mask]
    _, unit = resampling.index_particles(unit)
    repeated = bool(np.median(np.bincount(unit)) >= LEAST_IN_UNIT)
    stratum = (
        unit if repeated else resampling.index_particles(bands_of(both)[_first(unit)][unit])[1]
    )
    return PooledSample(
        detector=real.detector,
        labels=real.detector.scheme(scheme).labels,
        observed=observe(both, scheme),
        conditions=both.conditions,
        pdg=both.pdg,
        generated=label,
        unit=unit,
        stratum=stratum,
        repeated=repeated,
        shared=same_particles,
    )


def _on_both_sides(unit: Indices, generated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows whose unit has rows of both sides.  (N,)"""
    return np.isin(unit, np.intersect1d(unit[generated], unit[~generated]))


def _first(unit: Indices) -> Indices:
    """First row of each unit.  (P,)"""
    return np.unique(unit, return_index=True)[1]


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
