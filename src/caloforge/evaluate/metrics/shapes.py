"""Totals, empty showers, centres and widths, and single cells, generated against real.

Shapes: L rows of a side, P particles, K cells, B weightings of the particles, m cells whose pairs
are counted. For single cells each particle has equally many rows, grouped.

Mean images, dispersion and cells that are lit together are the three quantities that
arXiv:2608.12795 proposes for the Zero Degree Calorimeters. Only their names were at hand, so the
definitions are ours. With c_p(k) a cell k of the showers of particle p, a bar for the mean and s^2
for the variance (ddof 1) over its n showers:

    conditional weighted MAE = sum_pk |mean g_p(k) - mean r_p(k)| / sum_pk mean r_p(k)
    dispersion D             = sum_pk s^2_p(k) / sum_pk mean c_p(k), the ratio being D_g / D_r
    co-activation J(k, l)    = showers with k and l lit / showers with k or l lit
    Jaccard co-activation error = mean over pairs of cells of |J_g - J_r|
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.detector.readout import Channels
from caloforge.evaluate.metrics.metric import Metric
from caloforge.evaluate.metrics.wasserstein import MARGINAL_SPLIT_HALVES, observable_w1
from caloforge.evaluate.observables import observables, quotient, texture
from caloforge.evaluate.resampling import Indices, Pair, Side

Values = NDArray[np.float64]


def metrics(detector: Detector, channels: Channels) -> Iterator[Metric]:
    """Means of observables, and their distances."""
    row = partial(Metric, group="shapes")
    mean = partial(row, ideal=1.0, all_rows=True)
    total = partial(mean_ratio, observable="total")
    yield mean("mean_total", "mean total", function=total, column="mean total", by_region=True)
    if not detector.signed:
        yield row(
            "centre_error",
            "distance of mean centres",
            "mm",
            function=centre_error,
            per_particle=True,
            distance=True,
            column="centre/mm",
        )
        width = partial(mean_ratio, observable="width")
        yield mean("mean_width", "mean width", function=width, long=True)
    empty = partial(mean_difference, observable="empty")
    yield row("empty", "empty, excess over real", "fraction", function=empty, all_rows=True)
    for observable in (*observables(detector), *texture(detector)):
        if observable.name != "empty":
            yield row(
                f"w1_{observable.name}",
                f"W1 of {observable.title}",
                observable.unit or detector.unit,
                function=partial(observable_w1, observable=observable.name),
                split_halves=MARGINAL_SPLIT_HALVES,
                distance=True,
                long=True,
            )
    yield from cell_metrics(detector, channels)


def mean_difference(pair: Pair, weights: Values, *, observable: str) -> Values:
    """Mean of an observable, generated minus real.  (B, 1)"""
    real, other = (_mean(side, weights, observable) for side in (pair.real, pair.other))
    return (other - real)[:, None]


def mean_ratio(pair: Pair, weights: Values, *, observable: str) -> Values:
    """Mean of an observable, generated over real.  (B, 1)"""
    real, other = (_mean(side, weights, observable) for side in (pair.real, pair.other))
    return quotient(other, real)[:, None]


def centre_error(pair: Pair, weights: Values) -> Values:
    """Distance of the mean centres, real to generated, mean over particles, in mm.  (B, 1)"""
    each = centre_distances(pair)
    defined = np.isfinite(each)
    mass = weights[:, defined]
    return quotient(mass @ each[defined], mass.sum(axis=1))[:, None]


def centre_distances(pair: Pair) -> Values:
    """Distance of the mean centres of each particle in mm, NaN where a side is dark.  (P,)"""
    offsets = [
        pair.other.particle_mean(name, pair.particles)
        - pair.real.particle_mean(name, pair.particles)
        for name in ("centre_x", "centre_y")
    ]
    return np.hypot(*offsets)


def _mean(side: Side, weights: Values, observable: str) -> Values:
    """Mean over the showers that have it, NaN where none has.  (B,)"""
    values, mass = side.defined(observable, weights)
    return quotient(mass @ values, mass.sum(axis=1))


ELEMENTS_AT_ONCE = 2_000_000
CELL_SPLIT_HALVES = 4
"""Every cell of every row is touched."""
COACTIVATION_SPLIT_HALVES = 2
MOST_CELLS = 40
"""Cells whose pairs are counted."""
LEAST_LIT = 0.05
"""Part of the real showers in which such a cell is lit."""


def cell_metrics(detector: Detector, channels: Channels) -> Iterator[Metric]:
    """Cells one by one and in pairs; nothing where cells are signed coordinates."""
    if detector.signed:
        return
    row = partial(
        Metric, group="shapes", function=cell_moments, split_halves=CELL_SPLIT_HALVES,
        per_particle=True,
    )  # fmt: skip
    yield row("conditional_mae", "conditional weighted MAE of cells", distance=True)
    yield row("dispersion_ratio", "dispersion ratio of cells", ideal=1.0)
    yield Metric(
        "coactivation_error",
        "Jaccard co-activation error",
        group="shapes",
        function=coactivation_error,
        split_halves=COACTIVATION_SPLIT_HALVES,
        distance=True,
    )


def cell_moments(pair: Pair, weights: Values) -> Values:
    """Conditional weighted MAE and dispersion ratio.  (B, 2)"""
    sums = weights @ np.nan_to_num(particle_moments(pair))
    difference, real, other, real_variance, other_variance = sums.T
    mae = quotient(difference, real)
    dispersion = quotient(quotient(other_variance, other), quotient(real_variance, real))
    return np.stack([mae, dispersion], axis=1)


def particle_moments(pair: Pair) -> Values:
    """Sums over the cells of each particle.  (P, 5)

    Absolute difference of the mean images, real and other mean, real and other variance; NaN for
    particles without repeats.
    """
    moments = np.full((pair.particles, 5), np.nan)
    index = [side.particle_index for side in (pair.real, pair.other)]
    counts = [np.bincount(one, minlength=pair.particles) for one in index]
    particles = np.flatnonzero(np.minimum(*counts) > 1)
    rows = max(1, int(np.maximum(*counts).max(initial=1)))
    step = max(1, ELEMENTS_AT_ONCE // (rows * pair.real.observed.cells.shape[1]))
    for start in range(0, len(particles), step):
        block = particles[start : start + step]
        real, real_variance = _moments(pair.real, block)
        other, other_variance = _moments(pair.other, block)
        parts = (np.abs(other - real), real, other, real_variance, other_variance)
        moments[block] = np.stack([part.sum(axis=1) for part in parts], axis=1)
    return moments


def _moments(side: Side, particles: Indices) -> tuple[Values, Values]:
    """Mean and variance (ddof 1) of each cell over the rows of each particle.  (p, K) each"""
    there = np.isin(side.particle_index, particles)
    index = side.particle_index[there]
    cells = side.observed.cells[side.rows[there]].astype(np.float64)
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    count = np.diff(np.append(starts, len(index)))[:, None]
    mean = np.add.reduceat(cells, starts) / count
    squares = np.add.reduceat(cells**2, starts)
    return mean, np.maximum(squares - count * mean**2, 0) / (count - 1)


def coactivation_error(pair: Pair, weights: Values) -> Values:
    """Mean over pairs of cells of the difference of their Jaccard indices.  (B, 1)"""
    cells = often_lit(pair.real)
    sides = (coactivations(side, cells, weights) for side in (pair.real, pair.other))
    sums, count = np.zeros(len(weights)), 0
    for real, other in zip(*sides, strict=True):
        sums += np.abs(other - real).sum(axis=1)
        count += real.shape[1]
    return (sums / count if count else np.full(len(weights), np.nan))[:, None]


def often_lit(side: Side) -> Indices:
    """Cells that are lit in enough showers of the whole sample, evenly spaced by rank.  (m,)"""
    lit = (side.observed.cells > 0).mean(axis=0)
    ranked: Indices = np.argsort(-lit, kind="stable")[: int((lit >= LEAST_LIT).sum())]
    if len(ranked) <= MOST_CELLS:
        return ranked
    places = np.linspace(0, len(ranked) - 1, MOST_CELLS).round().astype(int)
    return np.asarray(ranked[places])


def coactivations(side: Side, chosen: Indices, weights: Values) -> Iterator[Values]:
    """Jaccard index of each cell with those after it, 0 where both are dark.  (B, m - 1), ..."""
    lit = side.observed.cells[np.ix_(side.rows, chosen)] > 0
    starts = np.flatnonzero(np.diff(side.particle_index, prepend=-1))
    row_weights = weights[:, side.particle_index[starts]]

    def showers(which: NDArray[np.bool_]) -> Values:
        return row_weights @ np.add.reduceat(which, starts, axis=0, dtype=np.float64)

    for number in range(len(chosen) - 1):
        one, others = lit[:, number, None], lit[:, number + 1 :]
        either = showers(one | others)
        both = showers(one & others)
        yield np.divide(both, either, out=np.zeros_like(both), where=either > 0)
