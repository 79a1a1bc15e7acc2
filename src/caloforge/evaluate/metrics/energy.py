"""Response, resolution and energy shares, against the energy of the particle.

Shapes: N rows, P particles, L layers, b bands, B resamplings.

Response: mean total over energy of a band. Resolution: standard deviation of the total inside a
particle over its mean, root mean square over the particles of a band; without repeats, the standard
deviation of total over energy inside the band.

Layered detectors have two widths: sigma(total) / mean, which in a band of energies is mostly the
width of the band, and sigma(total / E), the resolution, which a simulator gets right only where it
follows the energy shower by shower.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.data.energy import energies
from caloforge.evaluate import resampling
from caloforge.evaluate.observables import ratio
from caloforge.evaluate.resampling import Measured, measured, resamplings

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
Indices = NDArray[np.int64]
BANDS = 8
LEAST_PARTICLES = 4
RESAMPLINGS = 200


@dataclass(frozen=True)
class Response:
    """Response and resolution in bands of energy; one entry a band."""

    energy: Values
    """Mean energy of each band, (b,)."""
    response: tuple[Measured, ...]
    resolution: tuple[Measured, ...]


def energy_bands(energy: Values, bands: int = BANDS) -> Values:
    """Edges of bands with equally many particles, each with enough of them.  (P,) -> (b + 1,)"""
    count = max(1, min(bands, len(energy) // LEAST_PARTICLES))
    return np.unique(np.quantile(energy, np.linspace(0, 1, count + 1)))


def lit_particles(total: Values, particle_index: Indices, particles: int) -> NDArray[np.bool_]:
    """Which particles have light in any shower.  (N,), (N,) -> (P,)"""
    shared_rows = particle_index >= 0
    return np.bincount(particle_index[shared_rows], total[shared_rows], particles) > 0


def response(
    total: Values,
    energy: Values,
    particle_index: Indices,
    edges: Values,
    rng: np.random.Generator,
    *,
    resolved: NDArray[np.bool_] | None = None,
) -> Response:
    """Response and resolution with errors from a bootstrap over particles.  (N,), (N,), (N,)

    ``resolved`` (P,) names the particles that have a resolution; default: those with light. Where
    two samples are compared they have to be the same: a particle whose few photons are generated
    but dark in reality has a relative width of several hundred per cent on one side only.

    Args:
        total: Sum of each shower, (N,).
        energy: Energy of its particle, (N,).
        particle_index: Number of its particle, from 0, (N,).
        edges: Of the bands of energy, (b + 1,).
        rng: Random numbers of the bootstrap.
        resolved: Particles that have a resolution, (P,).

    Returns:
        Mean of total over energy, and the relative standard deviation within a particle.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> particle = np.repeat(np.arange(100), 10)
        >>> energy = 10.0 + particle
        >>> total = energy * rng.normal(0.5, 0.05, 1000)
        >>> band = response(total, energy, particle, np.array([10.0, 110.0]), rng)
        >>> round(band.response[0].value, 2), round(band.resolution[0].value, 2)
        (0.5, 0.1)
    """
    particles = int(particle_index.max()) + 1
    count = np.bincount(particle_index, minlength=particles)
    mean = np.bincount(particle_index, total, particles) / np.maximum(count, 1)
    of = np.bincount(particle_index, energy, particles) / np.maximum(count, 1)
    square = np.bincount(
        particle_index, (total - mean[particle_index]) ** 2, particles
    ) / np.maximum(count - 1, 1)
    repeated = (count > 1) & (mean > 0)
    if resolved is not None:
        repeated &= resolved
    weights = resamplings(particles, RESAMPLINGS, rng)
    band = np.clip(np.searchsorted(edges, of, side="right") - 1, 0, max(len(edges) - 2, 0))
    responses, resolutions, centres = [], [], []
    for number in range(max(len(edges) - 1, 1)):
        own = weights * ((band == number) & (count > 0))
        mass = own.sum(axis=1)
        per_energy = ratio(own @ np.divide(mean, of, out=np.zeros_like(of), where=of > 0), mass)
        centres.append(float(ratio(own[:1] @ of, mass[:1])[0]))
        responses.append(measured(per_energy))
        resolutions.append(measured(_resolution(own, mean, of, square, repeated)))
    return Response(np.array(centres), tuple(responses), tuple(resolutions))


def _resolution(
    own: Values, mean: Values, of: Values, square: Values, repeated: NDArray[np.bool_]
) -> Values:
    """Relative resolution of a band under all weightings.  (B, P) -> (B,)"""
    if repeated.any():
        relative = np.divide(square, mean**2, out=np.zeros_like(mean), where=repeated)
        return np.sqrt(ratio(own @ relative, own @ repeated.astype(np.float64)))
    per_energy = np.divide(mean, of, out=np.zeros_like(of), where=of > 0)
    mass = own.sum(axis=1)
    first, second = ratio(own @ per_energy, mass), ratio(own @ per_energy**2, mass)
    return np.sqrt(np.maximum(second - first**2, 0)) / np.where(first > 0, first, np.nan)


SHARE_BANDS = 6


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
    names, *both = resampling.index_shared_particles(real.particle, generated.particle)
    weights = resamplings(len(names), RESAMPLINGS, rng)
    rows = [np.flatnonzero(particle_index >= 0) for particle_index in both]
    books = [energies(s.rows(k)) for s, k in zip((real, generated), rows, strict=True)]
    each = [weights[:, particle_index[k]] for particle_index, k in zip(both, rows, strict=True)]
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


def bands(sums: Sums, count: int = SHARE_BANDS) -> tuple[Band, ...]:
    """Bands of energy with equally many real showers."""
    edges = np.unique(np.quantile(sums.incident[0], np.linspace(0, 1, count + 1)))
    energy_bands = []
    for number, (low, high) in enumerate(pairwise(edges)):
        last = number == len(edges) - 2
        sides = []
        for incident, layers, weights in zip(sums.incident, sums.layers, sums.weights, strict=True):
            inside = (incident >= low) & ((incident < high) | (last & (incident == high)))
            sides.append(moments(layers.sum(axis=1), incident, weights * inside))
        real, generated = sides
        ratios = [
            measured(m / np.where(r > 0, r, np.nan)) for r, m in zip(real, generated, strict=True)
        ]
        rows = int((sums.incident[0] >= low).sum() - (sums.incident[0] >= high).sum())
        energy_bands.append(Band(float(low), float(high), rows + last, *ratios))
    return tuple(energy_bands)


def moments(total: Values, incident: Values, weights: Values) -> tuple[Values, Values, Values]:
    """Mean total, sigma(total) / mean, sigma(total / E).  (N,), (N,), (B, N) -> (B,) each"""
    mass = np.where(weights.any(axis=1), weights.sum(axis=1), np.nan)
    mean = weights @ total / mass
    return mean, _sigma(total, weights, mass) / mean, _sigma(total / incident, weights, mass)


def _sigma(values: Values, weights: Values, mass: Values) -> Values:
    # About the plain mean first: squares of large equal numbers lose their last digits.
    middle = values - values.mean()
    variance = weights @ middle**2 / mass - (weights @ middle / mass) ** 2
    return np.sqrt(np.maximum(variance, 0))
