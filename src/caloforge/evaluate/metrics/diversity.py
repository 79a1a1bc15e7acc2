"""How much the showers of one particle differ, generated against real.

Shapes: L rows of both samples, equally many of each particle and grouped by it; K cells,
P particles, B resamplings. Everything is per particle first; resamplings then cost a product.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.deviations import divisors
from caloforge.detector import Detector
from caloforge.detector.readout import Channels
from caloforge.evaluate.metrics.metric import Metric
from caloforge.evaluate.observables import ratio
from caloforge.evaluate.resampling import Indices, Pair

Values = NDArray[np.float64]
ELEMENTS_AT_ONCE = 4_000_000
LEAST_IN_BAND = 12
"""Particles in a band of total: a correlation of fewer is mostly noise."""
MOST_BANDS = 5
SPREAD_SPLIT_HALVES = 4
"""A spread touches every cell of every row."""


def metrics(detector: Detector, channels: Channels) -> Iterator[Metric]:
    """Spreads within a particle, generated against real; a perfect simulator gets 1."""
    row = partial(Metric, ideal=1.0, group="diversity", per_particle=True)
    both = partial(row, function=spread, split_halves=SPREAD_SPLIT_HALVES)
    yield both("spread_slope", "spread slope", column="slope")
    yield both("spread_correlation", "spread corr. at fixed total", column="corr.")
    yield row(
        "sigma_total", "sigma(total)", function=total_sigma, column="sig(total)", by_region=True
    )
    for label in channels.labels:
        yield row(f"sigma_{label}", f"sigma({label})", function=channel_sigma, long=True)
    if not detector.signed:
        yield row("sigma_centre", "sigma(centre)", function=centre_sigma, column="sig(centre)")


def pixel_spread(cells: NDArray[Any], particle_index: Indices, particles: int) -> Values:
    """Standard deviation over the repeats (ddof 0), summed over cells, in counts.  (L, K) -> (P,)

    f_div of arXiv:2306.13606, Sec. 3. NaN for particles with fewer than two rows.
    """
    numbers = np.bincount(particle_index, minlength=particles)
    starts = np.cumsum(numbers) - numbers
    result = np.full(particles, np.nan)
    for number in np.unique(numbers[numbers > 1]):
        members = np.flatnonzero(numbers == number)
        block = max(1, ELEMENTS_AT_ONCE // int(number * cells.shape[1]))
        for start in range(0, len(members), block):
            block_members = members[start : start + block]
            rows = starts[block_members][:, None] + np.arange(number)
            result[block_members] = cells[rows].astype(np.float32).std(axis=1).sum(axis=1)
    return result


def particle_sigma(values: Values, particle_index: Indices, particles: int) -> Values:
    """Standard deviation of a number within each particle (ddof 1).  (L,) -> (P,)

    Rows where it is not defined are left out; NaN where fewer than two remain.
    """
    there = np.isfinite(values)
    values, particle_index = values[there], particle_index[there]
    numbers = np.bincount(particle_index, minlength=particles)
    means = np.bincount(particle_index, weights=values, minlength=particles) / np.maximum(
        numbers, 1
    )
    squares = np.bincount(
        particle_index, weights=(values - means[particle_index]) ** 2, minlength=particles
    )
    return np.where(numbers > 1, np.sqrt(squares / np.maximum(numbers - 1, 1)), np.nan)


def slope_through_origin(real: Values, other: Values, weights: Values) -> Values:
    """Least-squares slope of ``other = slope * real``.  (P,), (P,), (B, P) -> (B,)

    slope = sum(w r g) / sum(w r r); NaN where no real spread is positive.
    """
    weights, real, other = _defined(weights, real, other)
    return ratio(weights @ (real * other), weights @ real**2)


def ratio_of_means(real: Values, other: Values, weights: Values) -> Values:
    """Mean over particles of ``other`` over that of ``real``, where both are defined.  (B,)"""
    weights, real, other = _defined(weights, real, other)
    return ratio(weights @ other, weights @ real)


def correlation_at_fixed_total(
    total: Values, real: Values, other: Values, weights: Values
) -> Values:
    """Correlation of two spreads once the total is accounted for.  (P,) x 3, (B, P) -> (B,)

    Particles are put into bands of equal population in ``total``; in each band it is the partial
    correlation given the total, and the bands are averaged by their weight. A spread that only
    re-labels the energy scores 0 here. NaN where no band has enough particles that differ.
    """
    weights, total, real, other = _defined(weights, total, real, other)
    bands = min(MOST_BANDS, len(total) // LEAST_IN_BAND)
    if bands == 0:
        return np.full(len(weights), np.nan)
    band = np.argsort(np.argsort(total, kind="stable")) * bands // len(total)
    each = np.stack(
        [
            _partial_correlation(total[band == b], real[band == b], other[band == b], part)
            for b in range(bands)
            for part in [weights[:, band == b]]
        ]
    )
    weight = np.stack([weights[:, band == b].sum(axis=1) for b in range(bands)])
    there = np.isfinite(each)
    return ratio(
        (np.where(there, each, 0) * weight).sum(axis=0), np.where(there, weight, 0).sum(axis=0)
    )


def _partial_correlation(control: Values, a: Values, b: Values, weights: Values) -> Values:
    """Correlation of a and b given a third number, under each weighting.  (B,)

    (S_ab - S_ag S_bg / S_gg) / sqrt(same for aa, same for bb), S the weighted covariances.
    """
    values = np.column_stack([control, a, b])
    # A unit scale makes the test for "does not vary" below one of rounding only.
    columns = ((values - values.mean(axis=0)) / divisors(values)).T
    mass = np.maximum(weights.sum(axis=1), 1)
    means = weights @ columns.T / mass[:, None]
    products = np.einsum("bp,ip,jp->bij", weights, columns, columns, optimize=True)
    s = products / mass[:, None, None] - means[:, :, None] * means[:, None, :]
    slope = ratio(s[:, 0, 1:], s[:, 0, :1])
    residual = s[:, 1:, 1:] - np.nan_to_num(slope)[:, :, None] * s[:, 0, None, 1:]
    varies = (residual[:, 0, 0] > 1e-12) & (residual[:, 1, 1] > 1e-12)
    size = np.sqrt(np.maximum(residual[:, 0, 0] * residual[:, 1, 1], 0))
    return np.where(varies, ratio(residual[:, 0, 1], size), np.nan)


def _defined(weights: Values, *columns: Values) -> tuple[Values, ...]:
    """The weights and columns of the particles for which all columns are defined."""
    there = np.isfinite(np.stack(columns)).all(axis=0)
    return weights[:, there], *(column[there] for column in columns)


def spread(pair: Pair, weights: Values) -> Values:
    """Generated against real spread: slope through the origin, correlation.  (B, 2)"""
    real, other = spreads(pair)
    total = pair.real.particle_mean("total", pair.particles)
    slope = slope_through_origin(real, other, weights)
    same = correlation_at_fixed_total(total, real, other, weights)
    return np.stack([slope, same], axis=1)


def spreads(pair: Pair) -> tuple[Values, Values]:
    """Spread of each particle, real and generated, NaN without repeats.  (P,), (P,)"""
    real, other = (
        pixel_spread(side.cells, side.particle_index, pair.particles)
        for side in (pair.real, pair.other)
    )
    return real, other


def total_sigma(pair: Pair, weights: Values) -> Values:
    """Per-particle standard deviation of the total, generated over real.  (B, 1)"""
    real, other = (
        particle_sigma(side.value("total"), side.particle_index, pair.particles)
        for side in (pair.real, pair.other)
    )
    return ratio_of_means(real, other, weights)[:, None]


def channel_sigma(pair: Pair, weights: Values) -> Values:
    """Per-particle standard deviation of each channel, generated over real.  (B, c)"""
    each = []
    for a, b in zip(pair.real.channels.T, pair.other.channels.T, strict=True):
        real = particle_sigma(a, pair.real.particle_index, pair.particles)
        other = particle_sigma(b, pair.other.particle_index, pair.particles)
        each.append(ratio_of_means(real, other, weights))
    return np.stack(each, axis=1)


def centre_sigma(pair: Pair, weights: Values) -> Values:
    """Per-particle standard deviation of the centre, x and y together, the same ratio.  (B, 1)"""
    real, other = (
        np.hypot(
            particle_sigma(side.value("centre_x"), side.particle_index, pair.particles),
            particle_sigma(side.value("centre_y"), side.particle_index, pair.particles),
        )
        for side in (pair.real, pair.other)
    )
    return ratio_of_means(real, other, weights)[:, None]
