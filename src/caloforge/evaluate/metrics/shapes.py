"""Totals, empty showers, centres and widths, generated against real.

Shapes: L rows of a side, P particles, B weightings of the particles.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.metrics.metric import Metric
from caloforge.evaluate.metrics.wasserstein import MARGINAL_SPLIT_HALVES, observable_w1
from caloforge.evaluate.observables import observables, quotient, texture
from caloforge.evaluate.resampling import Pair, Side

if TYPE_CHECKING:
    from caloforge.detector import Detector
    from caloforge.detector.readout import Channels

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
