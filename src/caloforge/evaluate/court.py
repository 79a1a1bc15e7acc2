"""What all candidates share when they are compared with the same real showers.

Shapes: N real rows, M rows of a candidate, P particles, B resamplings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import repeats
from caloforge.evaluate.measure import Measure, Row
from caloforge.evaluate.measured import resamplings
from caloforge.evaluate.observables import Observed
from caloforge.evaluate.pair import Pair, Side
from caloforge.evaluate.repeats import Halves, Rows

Values = NDArray[np.float64]
Replicates = dict[str, Values]
"""A number of each name under all resamplings, the sample's own first; (1 + B,) each."""

LEAST_HALVINGS = 2
ROWS_TO_HALVE = 60_000


@dataclass(frozen=True)
class Court:
    """What all candidates have in common: the real showers, their halves, the resamplings."""

    real: Observed
    slot: Rows
    particles: int
    halves: tuple[Halves, ...]
    repeated: bool
    """Whether halves are halves of each particle; else they are halves of the particles."""
    weights: Values
    measures: tuple[Measure, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all measures."""
        return tuple(row for measure in self.measures for row in measure.rows)

    def hear(self, other: Observed, slot: Rows, rng: np.random.Generator) -> Replicates:
        """All measures of a candidate under all resamplings.  (1 + B,) each"""
        pairs = [
            self._pair(half, Side(other, repeats.draw(slot, half.numbers, rng), half.first_slot))
            for half in self.halves
        ]
        everything = Pair(
            Side(self.real, np.arange(len(self.slot)), self.slot),
            Side(other, np.arange(len(slot)), slot),
            self.particles,
        )
        return self._replicates(pairs, everything)

    def hear_real(self) -> Replicates:
        """The floor: the other half of the real showers as the candidate.  (1 + B,) each"""
        return self._replicates(
            [
                self._pair(half, Side(self.real, half.second, half.second_slot))
                for half in self.halves
            ],
            None,
        )

    def _pair(self, half: Halves, other: Side) -> Pair:
        return Pair(Side(self.real, half.first, half.first_slot), other, self.particles)

    def _replicates(self, pairs: list[Pair], everything: Pair | None) -> Replicates:
        found: Replicates = {}
        for measure in self.measures:
            table = self._table(measure, pairs, everything)
            found |= {row.name: table[:, n] for n, row in enumerate(measure.rows)}
        return found

    def _table(self, measure: Measure, pairs: list[Pair], everything: Pair | None) -> Values:
        """One measure under all resamplings, NaN where it cannot be had.  (1 + B, rows)"""
        if measure.halvings and (self.repeated or not measure.per_particle):
            # Averaging over random halves matters for small samples, and costs for large ones.
            count = max(LEAST_HALVINGS, min(measure.halvings, ROWS_TO_HALVE // len(self.slot)))
            tables = [measure.of(pair, self.weights) for pair in pairs[:count]]
            mean: Values = np.mean(tables, axis=0)
            return mean
        if not measure.halvings and everything is not None:
            return measure.of(everything, self.weights)
        return np.full((len(self.weights), len(measure.rows)), np.nan)


def convene(
    real: Observed,
    slot: Rows,
    numbers: Rows,
    measures: tuple[Measure, ...],
    resamples: int,
    rng: np.random.Generator,
) -> Court:
    """Draw the halves and the resamplings that every candidate will meet."""
    count = max(measure.halvings for measure in measures)
    return Court(
        real=real,
        slot=slot,
        particles=len(numbers),
        halves=_halves(slot, numbers, count, rng),
        repeated=bool(numbers.any()),
        weights=resamplings(len(numbers), resamples, rng),
        measures=measures,
    )


def _halves(slot: Rows, numbers: Rows, count: int, rng: np.random.Generator) -> tuple[Halves, ...]:
    """Random halves of the showers of each particle, or else of the particles."""
    if numbers.any():
        return tuple(repeats.halve(slot, numbers, rng) for _ in range(count))
    return tuple(repeats.halve_particles(slot, len(numbers), rng) for _ in range(count))
