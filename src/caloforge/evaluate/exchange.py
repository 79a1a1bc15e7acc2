"""Tests of whether generated rows could be exchanged with real ones inside their particle.

Shapes: N pooled rows, P units (inside which labels may be exchanged), B exchanges.

A sum over units of a difference of means has mean 0 and a known variance when labels are exchanged
(finite population, Cochran 1977, ch. 2): no random numbers, exact for any law of the showers. Other
statistics get their law from random exchanges; the tail beyond what B exchanges show is that of a
gamma law with the same mean, variance and skewness (Pearson type III; Mielke & Berry, "Permutation
Methods", 2007). A result is told in sigma: the normal deviate with the same probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.repeats import Rows

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]
LEAST_SKEW = 1e-3
LARGEST_SIGMA = 37.0
"""Beyond it a probability underflows; more would only pretend to be exact."""


@dataclass(frozen=True)
class Outcome:
    """A difference of generated and real, its error if there is none, and the sigma of it."""

    value: float
    error: float
    sigma: float


UNDEFINED = Outcome(float("nan"), float("nan"), float("nan"))


def mean_difference(
    values: Values, generated: Labels, unit: Rows, weight: Values | None = None
) -> Outcome:
    """Weighted mean over units of the mean of generated minus that of real rows.  (N,)

    ``weight`` (P,) may depend on the pooled rows, never on the labels; default n m / (n + m).
    Rows where the value is undefined are left out, as are units that one side is missing from.
    """
    there = np.isfinite(values)
    values, generated, unit = values[there], generated[there], unit[there]
    units = int(unit.max(initial=-1)) + 1
    made = np.bincount(unit[generated], minlength=units)
    true = np.bincount(unit[~generated], minlength=units)
    used = (made > 0) & (true > 0)
    if not used.any():
        return UNDEFINED
    count = np.maximum(made + true, 1)
    centred = values - (np.bincount(unit, values, units) / count)[unit]
    spread = np.bincount(unit, centred**2, units) / np.maximum(count - 1, 1)
    sums = np.bincount(unit[generated], centred[generated], units)
    difference = sums * count / np.maximum(made * true, 1)
    variance = spread * count / np.maximum(made * true, 1)
    share = np.where(used, made * true / count if weight is None else weight[:units], 0.0)
    if share.sum() <= 0:
        return UNDEFINED
    value = float(share @ difference / share.sum())
    error = float(np.sqrt(share**2 @ variance) / share.sum())
    return Outcome(value, error, value / error if error > 0 else 0.0)


def exchanged(generated: Labels, unit: Rows, count: int, rng: np.random.Generator) -> Labels:
    """The labels themselves, then random exchanges of them inside units.  (1 + B, N)"""
    order = np.lexsort((~generated, unit))
    result = np.empty((1 + count, len(unit)), dtype=bool)
    result[0] = generated
    for number in range(1, 1 + count):
        shuffled = np.lexsort((rng.random(len(unit)), unit))
        # The n-th row of a unit at random gets the n-th label of the unit.
        result[number, shuffled] = generated[order]
    return result


def outcome_of(replicates: Values, *, one_sided: bool) -> Outcome:
    """The first of the values against the others, which are those of exchanges.  (1 + B,)"""
    value, chance = float(replicates[0]), replicates[1:]
    if not np.isfinite(replicates).all():
        return UNDEFINED
    error = float(chance.std(ddof=1))
    if error == 0:
        return Outcome(value - float(chance.mean()), 0.0, 0.0)
    standard = (chance - chance.mean()) / error
    skew = float((standard**3).mean())
    away = (value - float(chance.mean())) / error
    sigma = _equivalent(away, skew) if one_sided or away >= 0 else -_equivalent(-away, -skew)
    return Outcome(value - float(chance.mean()), error, sigma)


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
