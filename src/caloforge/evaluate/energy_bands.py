"""Books of energy: total and layers against the energy of the particle, in bands of it.

Shapes: N showers, L layers, b bands, B resamplings.

Two widths are told apart: sigma(total) / mean, which in a band of energies is mostly the width of
the band, and sigma(total / E), the resolution, which a simulator gets right only where it follows
the energy shower by shower.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.data.energy import energies
from caloforge.evaluate import repeats
from caloforge.evaluate.measured import Measured, measured, resamplings

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
BANDS = 6
RESAMPLINGS = 200


@dataclass(frozen=True)
class Share:
    """Mean energy of a layer (or of all) over the mean energy of the particles."""

    name: str
    real: Measured
    generated: Measured


@dataclass(frozen=True)
class Band:
    """Numbers of one band, generated over real under the same resamplings."""

    low: float
    high: float
    particles: int
    mean: Measured
    """Mean total."""
    relative_sigma: Measured
    """sigma(total) / mean total."""
    resolution: Measured
    """sigma(total / E)."""


@dataclass(frozen=True)
class Sums:
    """Energies of both samples, and the resamplings that they share."""

    incident: tuple[Values, Values]
    layers: tuple[Values, Values]
    """(N, L) each."""
    weights: tuple[Values, Values]
    """(B, N) each."""


def sums_of(real: Showers, generated: Showers, rng: np.random.Generator) -> Sums:
    """Energies of the showers whose particle both samples have.

    Raises DataError for a detector whose cells hold no energy.
    """
    names, *both = repeats.shared_slots(real.particle, generated.particle)
    weights = resamplings(len(names), RESAMPLINGS, rng)
    kept = [np.flatnonzero(slot >= 0) for slot in both]
    books = [energies(s.rows(k)) for s, k in zip((real, generated), kept, strict=True)]
    each = [weights[:, slot[k]] for slot, k in zip(both, kept, strict=True)]
    incident, layers = ([getattr(b, n) for b in books] for n in ("incident", "layers"))
    return Sums((incident[0], incident[1]), (layers[0], layers[1]), (each[0], each[1]))


def shares(sums: Sums, names: tuple[str, ...]) -> tuple[Share, ...]:
    """Share of each layer and of their sum; what is missing from 1 was not read out."""
    sides = []
    for incident, layers, weights in zip(sums.incident, sums.layers, sums.weights, strict=True):
        parts = np.column_stack([layers, layers.sum(axis=1)])
        sides.append(weights @ parts / (weights @ incident)[:, None])
    return tuple(
        Share(name, *(measured(side[:, n]) for side in sides))
        for n, name in enumerate((*names, "total"))
    )


def bands(sums: Sums, count: int = BANDS) -> tuple[Band, ...]:
    """Bands of energy with equally many real showers."""
    edges = np.unique(np.quantile(sums.incident[0], np.linspace(0, 1, count + 1)))
    found = []
    for number, (low, high) in enumerate(pairwise(edges)):
        last = number == len(edges) - 2
        sides = []
        for incident, layers, weights in zip(sums.incident, sums.layers, sums.weights, strict=True):
            inside = (incident >= low) & ((incident < high) | (last & (incident == high)))
            sides.append(moments(layers.sum(axis=1), incident, weights * inside))
        real, made = sides
        ratios = [measured(m / np.where(r > 0, r, np.nan)) for r, m in zip(real, made, strict=True)]
        rows = int((sums.incident[0] >= low).sum() - (sums.incident[0] >= high).sum())
        found.append(Band(float(low), float(high), rows + last, *ratios))
    return tuple(found)


def moments(total: Values, incident: Values, weights: Values) -> tuple[Values, Values, Values]:
    """Mean total, sigma(total) / mean, sigma(total / E).  (N,), (N,), (B, N) -> (B,) each"""
    mass = np.where(weights.any(axis=1), weights.sum(axis=1), np.nan)
    mean = weights @ total / mass
    return mean, _sigma(total, weights, mass) / mean, _sigma(total / incident, weights, mass)


def _sigma(values: Values, weights: Values, mass: Values) -> Values:
    # About the plain mean first: squares of large equal numbers lose their last digits.
    middle = values - values.mean()
    variance = weights @ middle**2 / mass - (weights @ middle / mass) ** 2
    sigma: Values = np.sqrt(np.maximum(variance, 0))
    return sigma
