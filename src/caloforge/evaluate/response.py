"""Response and resolution against energy, real and generated.

Shapes: N rows, P particles, b bands, B resamplings.

Response: mean total over energy of a band. Resolution: standard deviation of the total inside a
particle over its mean, root mean square over the particles of a band; without repeats, the standard
deviation of total over energy inside the band.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.measured import Measured, measured, resamplings

Values = NDArray[np.float64]
Slots = NDArray[np.int64]
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


def response(
    total: Values, energy: Values, slot: Slots, edges: Values, rng: np.random.Generator
) -> Response:
    """Response and resolution with errors from a bootstrap over particles.  (N,), (N,), (N,)"""
    particles = int(slot.max()) + 1
    count = np.bincount(slot, minlength=particles)
    mean = np.bincount(slot, total, particles) / np.maximum(count, 1)
    of = np.bincount(slot, energy, particles) / np.maximum(count, 1)
    square = np.bincount(slot, (total - mean[slot]) ** 2, particles) / np.maximum(count - 1, 1)
    weights = resamplings(particles, RESAMPLINGS, rng)
    band = np.clip(np.searchsorted(edges, of, side="right") - 1, 0, max(len(edges) - 2, 0))
    responses, resolutions, centres = [], [], []
    for number in range(max(len(edges) - 1, 1)):
        own = weights * ((band == number) & (count > 0))
        mass = own.sum(axis=1)
        ratio = _over(own @ np.divide(mean, of, out=np.zeros_like(of), where=of > 0), mass)
        centres.append(float(_over(own[:1] @ of, mass[:1])[0]))
        responses.append(measured(ratio))
        resolutions.append(measured(_resolution(own, mean, of, square, count)))
    return Response(np.array(centres), tuple(responses), tuple(resolutions))


def _resolution(own: Values, mean: Values, of: Values, square: Values, count: Slots) -> Values:
    """Relative resolution of a band under all weightings.  (B, P) -> (B,)"""
    repeated = (count > 1) & (mean > 0)
    if repeated.any():
        relative = np.divide(square, mean**2, out=np.zeros_like(mean), where=repeated)
        return np.sqrt(_over(own @ relative, own @ repeated.astype(np.float64)))
    ratio = np.divide(mean, of, out=np.zeros_like(of), where=of > 0)
    mass = own.sum(axis=1)
    first, second = _over(own @ ratio, mass), _over(own @ ratio**2, mass)
    return np.sqrt(np.maximum(second - first**2, 0)) / np.where(first > 0, first, np.nan)


def _over(above: Values, below: Values) -> Values:
    quotient: Values = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient
