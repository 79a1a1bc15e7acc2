"""The table of what is measured when two samples of showers are compared.

Shapes: L rows of a side, P particles, c channels, B weightings of the particles, k numbers.
A new measure is one function ``(pair, weights (B, P)) -> (B, k)`` and one row of ``measures``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.evaluate import diversity
from caloforge.evaluate.conditional import particle_w1
from caloforge.evaluate.distances import weighted_w1
from caloforge.evaluate.observable import Observable
from caloforge.evaluate.observables import observables
from caloforge.evaluate.pair import Pair, Side
from caloforge.readout import Channels

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


def measures(detector: Detector, channels: Channels) -> tuple[Measure, ...]:
    """Everything that is measured of showers of a detector, read out by a scheme."""
    seen = observables(detector)
    return (
        *distances(detector.unit, channels.labels),
        *diversities(channels.labels, seen),
        *shapes(detector.unit, seen),
    )


def distances(unit: str, labels: tuple[str, ...]) -> tuple[Measure, ...]:
    """Distances of the channel sums: as papers print them, at equal numbers, per particle."""
    named = partial(_per_channel, unit=unit, labels=labels)
    return (
        Measure(named("w1_all", "W1, all rows"), channel_w1, halvings=0),
        Measure(named("w1", "W1"), channel_w1, halvings=MARGINAL_HALVINGS),
        Measure(named("conditional_w1", "conditional W1"), conditional, per_particle=True),
    )


def diversities(labels: tuple[str, ...], seen: tuple[Observable, ...]) -> tuple[Measure, ...]:
    """How much the showers of one particle differ, generated against real."""
    slope = Row("spread_slope", "spread slope", ideal=1)
    same = Row("spread_correlation", "spread corr. at fixed total", ideal=1)
    total, centre = (Row(f"sigma_{n}", f"sigma({n})", ideal=1) for n in ("total", "centre"))
    channels = [Row(f"sigma_{n}", f"sigma({n})", ideal=1, detail=True) for n in labels]
    return (
        Measure((slope, same), spread, halvings=SPREAD_HALVINGS, per_particle=True),
        Measure((total,), total_sigma, per_particle=True),
        Measure(tuple(channels), channel_sigma, per_particle=True),
        *(
            [Measure((centre,), centre_sigma, per_particle=True)]
            if "centre_x" in {observable.name for observable in seen}
            else []
        ),
    )


def shapes(unit: str, seen: tuple[Observable, ...]) -> tuple[Measure, ...]:
    """Means of observables, and their distances."""
    total = Row("mean_total", "mean total", ideal=1)
    width = Row("mean_width", "mean width", ideal=1, detail=True)
    empty = Row("empty", "empty, excess over real", "fraction")
    names = {observable.name for observable in seen}
    return (
        Measure((total,), partial(mean_ratio, observable="total"), halvings=0),
        *(
            [Measure((width,), partial(mean_ratio, observable="width"), halvings=0)]
            if "width" in names
            else []
        ),
        Measure((empty,), partial(mean_difference, observable="empty"), halvings=0),
        *(
            Measure(
                (Row(f"w1_{o.name}", f"W1 of {o.title}", o.unit or unit, 0, True, True),),
                partial(observable_w1, observable=o.name),
                halvings=MARGINAL_HALVINGS,
            )
            for o in seen
            if o.name != "empty"
        ),
    )


def _per_channel(name: str, title: str, unit: str, labels: tuple[str, ...]) -> tuple[Row, ...]:
    return (
        Row(name, title, unit, distance=True),
        *(
            Row(f"{name}_{label}", f"{title}: {label}", unit, distance=True, detail=True)
            for label in labels
        ),
    )


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
    """Mean over the rows of each particle, NaN without rows.  (P,)"""
    numbers = np.bincount(side.slot, minlength=particles)
    sums = np.zeros(particles)
    np.add.at(sums, side.slot, side.value(observable))
    return _quotient(sums, numbers.astype(np.float64))


def _quotient(above: Values, below: Values) -> Values:
    """Ratio, NaN where it would divide by zero."""
    ratio: Values = np.full(above.shape, np.nan)
    np.divide(above, below, out=ratio, where=below != 0)
    return ratio
