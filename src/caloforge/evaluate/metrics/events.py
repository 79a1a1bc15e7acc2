"""Sums over k showers near beam energy: the one-, two-, three-neutron peaks of a ZDC.

Shapes: N showers, k of them in an event.

A collision sends several spectators into one calorimeter; their light adds up. A wrong mean or tail
of single showers shows in the peaks. Sides A (pz > 0) and C are calorimeters of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.detectors import facts_of
from caloforge.evaluate.metrics.metric import Metric, MetricResult, Samples
from caloforge.evaluate.metrics.wasserstein import w1
from caloforge.evaluate.resampling import Measured

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
NUMBERS = (1, 2, 3, 5, 10, 20, 30)
SUMMED = (1, 2, 3)
"""Numbers of spectators whose peaks are drawn."""
BEAM_PART = 0.15
"""Showers count as near beam energy within this part of the largest usual energy."""
EVENTS = 2000
DRAWS = 10
LEAST_PARTICLES = 8


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
        if min(len(particles) for particles in samples) < LEAST_PARTICLES:
            continue
        for number in NUMBERS:
            if number > min(len(particles) for particles in samples) // 2:
                break
            yield _events(side, number, samples[0], samples[1], rng)


def sums_of(totals: list[Values], number: int, count: int, rng: np.random.Generator) -> Values:
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
            sums_of(totals, number, EVENTS, rng) for totals in _halves(real, generated, rng)
        )
        value.append(w1(first, other) / number)
        floor.append(w1(first, second) / number)
    return Events(
        side,
        number,
        sums_of(real, number, EVENTS, rng),
        sums_of(generated, number, EVENTS, rng),
        _spread(value),
        _spread(floor),
    )


def _halves(
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


def results(samples: Samples) -> Iterator[MetricResult]:
    """W1 of the sums of several spectators."""
    for event in events(samples.real, samples.generated, rng=samples.rng):
        name = f"event_{event.side}_{event.number}"
        title = f"W1 of the sum of {event.number} spectators over their number, side {event.side}"
        metric = Metric(name, title, ideal="low", group="events", long=True)
        yield MetricResult(metric, event.w1, event.floor)
