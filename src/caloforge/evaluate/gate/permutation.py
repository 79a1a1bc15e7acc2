"""Permutation tests: whether generated rows can be exchanged for real ones of the same particle.

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

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate import resampling
from caloforge.evaluate.baselines import bands_of
from caloforge.evaluate.observables import Observed, observe
from caloforge.evaluate.resampling import Indices

if TYPE_CHECKING:
    from caloforge.data.showers import Showers
    from caloforge.detector import Detector

Values = NDArray[np.float64]


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
    from scipy.special import gammaincc, ndtri

    if abs(skew) < LEAST_SKEW:
        return min(away, LARGEST_SIGMA)
    shape = 4 / skew**2
    at = shape + away * np.sqrt(shape) * np.sign(skew)
    upper = gammaincc(shape, max(at, 0.0))
    tail = upper if skew > 0 else 1 - upper
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
    if real.detector.fingerprint != generated.detector.fingerprint:
        raise DataError(f"{generated.detector.name} showers against {real.detector.name} showers")
    both = _joined(real, generated)
    label = np.arange(len(both)) >= len(real)
    shared = bool(np.isin(real.particle, generated.particle).any())
    unit = both.particle if shared else bands_of(both)
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
        shared=shared,
    )


def _joined(real: Showers, generated: Showers) -> Showers:
    """The rows of both, kinds only where both tell them."""
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


def _on_both_sides(unit: Indices, generated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows whose unit has rows of both sides.  (N,)"""
    return np.isin(unit, np.intersect1d(unit[generated], unit[~generated]))


def _first(unit: Indices) -> Indices:
    """First row of each unit.  (P,)"""
    return np.unique(unit, return_index=True)[1]
