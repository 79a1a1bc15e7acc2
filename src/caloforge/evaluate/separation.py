"""Histogram distances of one observable: separation power, Kolmogorov-Smirnov, Mann-Whitney.

Shapes: n and m values of two samples, P particles, b bins, B weightings of the particles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError

Values = NDArray[np.float64]
Slots = NDArray[np.int64]
CHALLENGE_BINS = 100
CHALLENGE_ENERGY_BINS = 40
CALOGAN_BINS = 10


@dataclass(frozen=True)
class RankTest:
    """A statistic and its two-sided asymptotic p value for independent values."""

    statistic: float
    p: float


def separation_power(a: Values, b: Values, edges: Values) -> float:
    """S = 1/2 sum (h_a - h_b)^2 / (h_a + h_b) of normalised histograms: 0 equal, 1 disjoint.

    The outermost bins hold what lies beyond. Raises DataError for an empty sample.
    """
    one = np.ones((1, 1))
    slots = np.zeros(len(a), dtype=np.int64), np.zeros(len(b), dtype=np.int64)
    counts = [counts_by_particle(v, s, 1, edges) for v, s in zip((a, b), slots, strict=True)]
    power = weighted_separation(counts[0], counts[1], one)
    if not np.isfinite(power[0]):
        raise DataError("separation power needs two samples with values")
    return float(power[0])


def weighted_separation(a: Values, b: Values, weights: Values) -> Values:
    """Separation power of counts (P, b) under weightings of the particles.  (B, P) -> (B,)

    NaN where a sample has no weight.
    """
    first, second = (_normalised(weights @ counts) for counts in (a, b))
    total = first + second
    terms = np.divide((first - second) ** 2, total, out=np.zeros_like(total), where=total > 0)
    power: Values = terms.sum(axis=1) / 2
    return np.asarray(np.where(np.isfinite(total).all(axis=1), power, np.nan))


def counts_by_particle(values: Values, slot: Slots, particles: int, edges: Values) -> Values:
    """Values in each bin, particle by particle; undefined ones are left out.  (P, b)"""
    there = np.isfinite(values)
    bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, values[there], side="right") - 1, 0, bins - 1)
    flat = np.bincount(slot[there] * bins + place, minlength=particles * bins)
    return flat.reshape(particles, bins).astype(np.float64)


def challenge_edges(reference: Values, *, energy: bool) -> Values:
    """Bins as the CaloChallenge takes them, over the range of the reference.  (b + 1,)

    40 logarithmic bins for an energy, 100 equal ones for all else (code/evaluate.py).
    """
    known = reference[np.isfinite(reference)]
    lit = known[known > 0]
    if energy and len(lit) and lit.max() > lit.min():
        return np.asarray(np.geomspace(lit.min(), lit.max(), CHALLENGE_ENERGY_BINS + 1))
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return np.linspace(low, high if high > low else low + 1, CHALLENGE_BINS + 1)


def calogan_edges(a: Values, b: Values) -> Values:
    """Ten bins of equal population of both samples together, as the CaloGAN paper.  (b + 1,)

    Fewer where values repeat so often that edges would coincide; at most ten different values get
    a bin each.
    """
    both = np.concatenate([a, b])
    known = both[np.isfinite(both)]
    if not len(known):
        return np.array([0.0, 1.0])
    if 1 < len(values := np.unique(known)) <= CALOGAN_BINS:
        middles = (values[1:] + values[:-1]) / 2
        return np.concatenate([values[:1], middles, values[-1:]])
    edges = np.unique(np.quantile(known, np.linspace(0, 1, CALOGAN_BINS + 1)))
    return np.asarray(edges if len(edges) > 1 else [edges[0], edges[0] + 1])


def kolmogorov_smirnov(a: Values, b: Values) -> RankTest:
    """Largest distance of the cumulative distributions (Smirnov 1939)."""
    from scipy.special import kolmogorov

    a, b = _defined(a), _defined(b)
    both = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(np.sort(s), both, side="right") / len(s) for s in (a, b)]
    statistic = float(np.abs(below[0] - below[1]).max())
    size = len(a) * len(b) / (len(a) + len(b))
    return RankTest(statistic, float(kolmogorov(np.sqrt(size) * statistic)))


def mann_whitney(a: Values, b: Values) -> RankTest:
    """Part of the pairs with a < b, ties half; 0.5 where both are alike (Mann & Whitney 1947)."""
    from scipy.special import ndtr

    a, b = _defined(a), _defined(b)
    _, place, counts = np.unique(np.concatenate([a, b]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]
    n, m = len(a), len(b)
    larger = ranks[n:].sum() - m * (m + 1) / 2
    ties = ((counts**3 - counts).sum()) / ((n + m) * max(n + m - 1, 1))
    deviation = np.sqrt(n * m / 12 * (n + m + 1 - ties))
    away = (larger - n * m / 2) / deviation if deviation > 0 else 0.0
    return RankTest(float(larger / (n * m)), float(2 * ndtr(-abs(away))))


def _defined(sample: Values) -> Values:
    known = sample[np.isfinite(sample)]
    if not len(known):
        raise DataError("a sample holds no value")
    return known


def _normalised(counts: Values) -> Values:
    total = counts.sum(axis=1, keepdims=True)
    heights: Values = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    return heights
