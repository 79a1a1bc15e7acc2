"""Energy: response, resolution, shares of layers, and sums over the showers of an event.

Shapes: N rows, P particles, L layers, b bands, B resamplings, k showers in an event.

Response: mean total over energy of a band. Resolution: standard deviation of the total inside a
particle over its mean, root mean square over the particles of a band; without repeats, the standard
deviation of total over energy inside the band.

Layered detectors have two widths: sigma(total) / mean, which in a band of energies is mostly the
width of the band, and sigma(total / E), the resolution, which a simulator gets right only where it
follows the energy shower by shower.

A collision sends several spectators into one Zero Degree Calorimeter, and their light adds up to
the one-, two- and three-neutron peaks near beam energy. A wrong mean or tail of single showers
shows in them. Sides A (pz > 0) and C are calorimeters of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from caloforge.data.energy import energies
from caloforge.data.showers import Showers
from caloforge.detectors import facts_of
from caloforge.evaluate import resampling
from caloforge.evaluate.metrics.metric import Metric, MetricResult, Samples
from caloforge.evaluate.metrics.wasserstein import w1
from caloforge.evaluate.observables import ratio
from caloforge.evaluate.resampling import Measured, measured, resamplings

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
    totals = [energies(s.rows(k)) for s, k in zip((real, generated), rows, strict=True)]
    each = [weights[:, particle_index[k]] for particle_index, k in zip(both, rows, strict=True)]
    incident, layers = ([getattr(b, n) for b in totals] for n in ("incident", "layers"))
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


NUMBERS = (1, 2, 3, 5, 10, 20, 30)
SUMMED = (1, 2, 3)
"""Numbers of spectators whose peaks are drawn."""
BEAM_PART = 0.15
"""Showers count as near beam energy within this part of the largest usual energy."""
EVENTS = 2000
DRAWS = 10
LEAST_EVENT_PARTICLES = 8


@dataclass(frozen=True)
class Events:
    """Sums of k showers of one side of the interaction point."""

    side: str
    number: int
    real: Values
    generated: Values
    w1: Measured
    floor: Measured


def events(real: Showers, generated: Showers, *, rng: np.random.Generator) -> Iterator[Events]:
    """Sums for both sides and all numbers of showers; none where too few particles are there.

    Showers of an event come from different particles. The floor compares one half of the
    real showers of each particle with the other; W1 is over k, so that numbers compare.
    """
    for side, sign in (("A", 1), ("C", -1)):
        samples = [_totals(showers, sign) for showers in (real, generated)]
        if min(len(particles) for particles in samples) < LEAST_EVENT_PARTICLES:
            continue
        for number in NUMBERS:
            if number > min(len(particles) for particles in samples) // 2:
                break
            yield _events(side, number, samples[0], samples[1], rng)


def event_sums(totals: list[Values], number: int, count: int, rng: np.random.Generator) -> Values:
    """Sums of one shower each of ``number`` particles, drawn at random.  (count,)"""
    particles = np.argsort(rng.random((count, len(totals))), axis=1)[:, :number]
    longest = max(len(values) for values in totals)
    table = np.stack([np.resize(values, longest) for values in totals])
    row = rng.integers(0, longest, particles.shape)
    return table[particles, row].sum(axis=1)


def _events(
    side: str, number: int, real: list[Values], generated: list[Values], rng: np.random.Generator
) -> Events:
    value, floor = [], []
    for _ in range(DRAWS):
        first, second, other = (
            event_sums(totals, number, EVENTS, rng)
            for totals in _event_halves(real, generated, rng)
        )
        value.append(w1(first, other) / number)
        floor.append(w1(first, second) / number)
    return Events(
        side,
        number,
        event_sums(real, number, EVENTS, rng),
        event_sums(generated, number, EVENTS, rng),
        _spread(value),
        _spread(floor),
    )


def _event_halves(
    real: list[Values], generated: list[Values], rng: np.random.Generator
) -> tuple[list[Values], list[Values], list[Values]]:
    """Two halves of the real showers of each particle and as many generated ones.

    Halves of the particles where some have no repeats, the generated ones then being those of the
    second half: both distances hold the same differences between particles.
    """
    if min(len(values) for values in (*real, *generated)) > 1 and len(real) == len(generated):
        cuts = [rng.permutation(values) for values in real]
        first = [values[: len(values) // 2] for values in cuts]
        second = [values[len(values) // 2 :] for values in cuts]
        numbers = [len(values) for values in second]
        return (
            first,
            second,
            [rng.permutation(v)[:n] for v, n in zip(generated, numbers, strict=True)],
        )
    order = np.array_split(rng.permutation(min(len(real), len(generated))), 2)
    return (
        [real[n] for n in order[0]],
        [real[n] for n in order[1]],
        [generated[n] for n in order[1]],
    )


def _totals(showers: Showers, sign: int) -> list[Values]:
    """Totals of the spectators of one side near beam energy, particle by particle."""
    detector = showers.detector
    kind = facts_of(detector).spectator
    if kind is None or showers.pdg is None:
        return []
    energy = showers.conditions[:, detector.column("Energy")]
    pz = showers.conditions[:, detector.column("Pz")]
    spectator = (showers.pdg == kind) & (np.sign(pz) == sign)
    if not spectator.any():
        return []
    beam = float(np.median(energy[spectator & (energy >= np.median(energy[spectator]))]))
    near = spectator & (np.abs(energy / beam - 1) < BEAM_PART)
    total = showers.total()
    return [total[near & (showers.particle == name)] for name in np.unique(showers.particle[near])]


def _spread(values: list[float]) -> Measured:
    return Measured(float(np.mean(values)), float(np.std(values, ddof=1)))


def event_results(samples: Samples) -> Iterator[MetricResult]:
    """W1 of the sums of several spectators."""
    for event in events(samples.real, samples.generated, rng=samples.rng):
        name = f"event_{event.side}_{event.number}"
        title = f"W1 of the sum of {event.number} spectators over their number, side {event.side}"
        metric = Metric(name, title, ideal="low", group="events", long=True)
        yield MetricResult(metric, event.w1, event.floor)
