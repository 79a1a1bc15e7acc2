"""What can be measured when two samples of showers are compared: one function a measure.

Shapes: L rows of a side, P particles, c channels, B weightings of the particles, k numbers.
A new measure is one function ``(pair, weights (B, P)) -> (B, k)`` and one row of ``measures``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import diversity
from caloforge.evaluate.conditional import particle_w1
from caloforge.evaluate.distances import weighted_w1
from caloforge.evaluate.pair import Pair, Side

Values = NDArray[np.float64]
HALVINGS = 20
"""Random halvings that a cheap measure is averaged over; others say how many they take."""
MARGINAL_HALVINGS = 8
"""A marginal distance sorts all rows for every resampling; halvings change it little."""
SPREAD_HALVINGS = 4
"""A spread touches every cell of every row."""


@dataclass(frozen=True)
class Row:
    """One number of the table: what it is called and what a perfect simulator gets."""

    name: str
    title: str
    unit: str = ""
    ideal: float = 0.0
    distance: bool = False
    """True where lower is better and differences between candidates are of interest."""
    detail: bool = False
    """True where only the full table shows it."""


@dataclass(frozen=True)
class Measure:
    """Numbers that are computed together, one row each."""

    rows: tuple[Row, ...]
    of: Callable[[Pair, Values], Values]
    """(pair, weights (B, P)) -> (B, rows); NaN where undefined."""
    halvings: int = HALVINGS
    """How many random halvings it is averaged over; 0: it compares all rows at once."""
    per_particle: bool = False
    """True where it compares showers of one particle, so that it needs repeats."""


def channel_w1(pair: Pair, weights: Values) -> Values:
    """W1 of the channel sums, mean and each channel.  (B, 1 + c)"""
    left, right = weights[:, pair.real.slot], weights[:, pair.other.slot]
    channels = zip(pair.real.channels.T, pair.other.channels.T, strict=True)
    each = np.stack([weighted_w1(a, b, left, right) for a, b in channels], axis=1)
    return _with_mean(each)


def conditional(pair: Pair, weights: Values) -> Values:
    """W1 of the channel sums per particle, mean over particles.  (B, 1 + c)"""
    each = particle_w1(pair.real.channels, pair.other.channels, pair.real.slot, pair.particles)
    there = np.bincount(pair.real.slot, minlength=pair.particles) > 0
    mass = weights @ there.astype(np.float64)
    return _with_mean(_quotient(weights @ each, np.repeat(mass[:, None], each.shape[1], axis=1)))


def observable_w1(pair: Pair, weights: Values, *, observable: str) -> Values:
    """W1 of an observable over the showers that have it.  (B, 1)"""
    a, left = _there(pair.real, weights, observable)
    b, right = _there(pair.other, weights, observable)
    return weighted_w1(a, b, left, right)[:, None]


def mean_difference(pair: Pair, weights: Values, *, observable: str) -> Values:
    """Mean of an observable, generated minus real.  (B, 1)"""
    real, other = (_mean(side, weights, observable) for side in (pair.real, pair.other))
    return (other - real)[:, None]


def mean_ratio(pair: Pair, weights: Values, *, observable: str) -> Values:
    """Mean of an observable, generated over real.  (B, 1)"""
    real, other = (_mean(side, weights, observable) for side in (pair.real, pair.other))
    return _quotient(other, real)[:, None]


def spread(pair: Pair, weights: Values) -> Values:
    """Generated against real spread: slope through the origin, correlation.  (B, 2)"""
    real, other = spreads(pair)
    total = _particle_mean(pair.real, pair.particles, "total")
    slope = diversity.slope_through_origin(real, other, weights)
    same = diversity.correlation_at_fixed_total(total, real, other, weights)
    return np.stack([slope, same], axis=1)


def spreads(pair: Pair) -> tuple[Values, Values]:
    """Spread of each particle, real and generated, NaN without repeats.  (P,), (P,)"""
    real, other = (
        diversity.pixel_spread(side.cells, side.slot, pair.particles)
        for side in (pair.real, pair.other)
    )
    return real, other


def total_sigma(pair: Pair, weights: Values) -> Values:
    """Per-particle standard deviation of the total, generated over real.  (B, 1)"""
    real, other = (
        diversity.particle_sigma(side.value("total"), side.slot, pair.particles)
        for side in (pair.real, pair.other)
    )
    return diversity.ratio_of_means(real, other, weights)[:, None]


def channel_sigma(pair: Pair, weights: Values) -> Values:
    """Per-particle standard deviation of each channel, generated over real.  (B, c)"""
    ratios = []
    for a, b in zip(pair.real.channels.T, pair.other.channels.T, strict=True):
        real = diversity.particle_sigma(a, pair.real.slot, pair.particles)
        other = diversity.particle_sigma(b, pair.other.slot, pair.particles)
        ratios.append(diversity.ratio_of_means(real, other, weights))
    return np.stack(ratios, axis=1)


def centre_sigma(pair: Pair, weights: Values) -> Values:
    """Per-particle standard deviation of the centre, x and y together, the same ratio.  (B, 1)"""
    real, other = (
        np.hypot(
            diversity.particle_sigma(side.value("centre_x"), side.slot, pair.particles),
            diversity.particle_sigma(side.value("centre_y"), side.slot, pair.particles),
        )
        for side in (pair.real, pair.other)
    )
    return diversity.ratio_of_means(real, other, weights)[:, None]


def centre_error(pair: Pair, weights: Values) -> Values:
    """Distance of the mean centres, real to generated, mean over particles, in mm.  (B, 1)"""
    each = centre_distances(pair)
    there = np.isfinite(each)
    mass = weights[:, there]
    return _quotient(mass @ each[there], mass.sum(axis=1))[:, None]


def centre_distances(pair: Pair) -> Values:
    """Distance of the mean centres of each particle in mm, NaN where a side is dark.  (P,)"""
    offsets = [
        _particle_mean(pair.other, pair.particles, name)
        - _particle_mean(pair.real, pair.particles, name)
        for name in ("centre_x", "centre_y")
    ]
    distances: Values = np.hypot(*offsets)
    return distances


def _with_mean(each: Values) -> Values:
    return np.concatenate([each.mean(axis=1, keepdims=True), each], axis=1)


def _there(side: Side, weights: Values, observable: str) -> tuple[Values, Values]:
    """Values of the showers that have the observable, and the weights of those.  (l,), (B, l)"""
    values = side.value(observable)
    there = np.isfinite(values)
    return values[there], weights[:, side.slot[there]]


def _mean(side: Side, weights: Values, observable: str) -> Values:
    """Mean over the showers that have it, NaN where none has.  (B,)"""
    values, mass = _there(side, weights, observable)
    return _quotient(mass @ values, mass.sum(axis=1))


def _particle_mean(side: Side, particles: int, observable: str) -> Values:
    """Mean over the rows of each particle that have the observable, NaN without any.  (P,)"""
    values = side.value(observable)
    there = np.isfinite(values)
    numbers = np.bincount(side.slot[there], minlength=particles)
    sums = np.zeros(particles)
    np.add.at(sums, side.slot[there], values[there])
    return _quotient(sums, numbers.astype(np.float64))


def _quotient(above: Values, below: Values) -> Values:
    """Ratio, NaN where it would divide by zero."""
    ratio: Values = np.full(above.shape, np.nan)
    np.divide(above, below, out=ratio, where=below != 0)
    return ratio
