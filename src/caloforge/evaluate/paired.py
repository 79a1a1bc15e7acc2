"""Paired bootstrap: all samples meet the same split halves and resamplings of the real showers.

Shapes: N real rows, M rows of another sample, P particles, B resamplings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import UsageError
from caloforge.evaluate import resampling
from caloforge.evaluate.metrics import cells, diversity, shapes, wasserstein
from caloforge.evaluate.metrics.metric import Metric
from caloforge.evaluate.metrics.own import own_paired_metrics
from caloforge.evaluate.observables import Observed
from caloforge.evaluate.resampling import Halves, Indices, Pair, Side

if TYPE_CHECKING:
    from caloforge.detector import Detector

Values = NDArray[np.float64]
Replicates = dict[str, Values]
"""Each metric under all resamplings, the sample's own value first; (1 + B,) each."""
FAMILIES = (wasserstein, diversity, shapes, cells)
LEAST_SPLIT_HALVES = 2
ROWS_TO_HALVE = 60_000


def paired_metrics(detector: Detector, scheme: str | None = None) -> tuple[Metric, ...]:
    """The metrics of the table of a detector, read out by a scheme."""
    channels = detector.scheme(scheme)
    metrics = [m for family in FAMILIES for m in family.metrics(detector, channels)]
    metrics += own_paired_metrics()
    names = [metric.name for metric in metrics]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"there is a metric {twice} already; rename it")
    return tuple(metrics)


@dataclass(frozen=True)
class PairedBootstrap:
    """What all samples have in common: real showers, their split halves, the resamplings."""

    real: Observed
    particle_index: Indices
    n_showers: Indices
    """Showers a side at equal numbers, (P,)."""
    halves: tuple[Halves, ...]
    weights: Values
    """Of the particles, (1 + B, P)."""
    metrics: tuple[Metric, ...]

    @classmethod
    def of(
        cls,
        real: Observed,
        particle_index: Indices,
        n_showers: Indices,
        metrics: tuple[Metric, ...],
        resamples: int,
        rng: np.random.Generator,
    ) -> PairedBootstrap:
        """Draw the split halves and the resamplings that every sample will meet."""
        count = max(metric.split_halves for metric in metrics if not metric.all_rows)
        halves = tuple(resampling.halves(particle_index, n_showers, rng) for _ in range(count))
        weights = resampling.resamplings(len(n_showers), resamples, rng)
        return cls(real, particle_index, n_showers, halves, weights, metrics)

    @property
    def particles(self) -> int:
        """Number of particles P."""
        return len(self.n_showers)

    @property
    def repeated(self) -> bool:
        """Whether halves are halves of each particle; else they are halves of the particles."""
        return bool(self.n_showers.any())

    def evaluate(
        self, other: Observed, particle_index: Indices, rng: np.random.Generator
    ) -> Replicates:
        """All metrics of a sample under all resamplings.  (1 + B,) each"""
        pairs = []
        for half in self.halves:
            rows = resampling.draw(particle_index, half.n_showers, rng)
            pairs.append(self._pair(half, Side(other, rows, half.first_index)))
        all_rows = Pair(
            Side(self.real, np.arange(len(self.particle_index)), self.particle_index),
            Side(other, np.arange(len(particle_index)), particle_index),
            self.particles,
        )
        return dict(self._replicates(pairs, all_rows))

    def evaluate_real(self) -> Replicates:
        """The noise floor: the other half of the real showers as the sample.  (1 + B,) each"""
        pairs = [
            self._pair(half, Side(self.real, half.second, half.second_index))
            for half in self.halves
        ]
        return dict(self._replicates(pairs, None))

    def _pair(self, half: Halves, other: Side) -> Pair:
        return Pair(Side(self.real, half.first, half.first_index), other, self.particles)

    def _replicates(self, pairs: list[Pair], all_rows: Pair | None) -> Iterator[tuple[str, Values]]:
        for _, group in groupby(self.metrics, key=lambda m: m.key):
            metrics = tuple(group)
            table = self._table(metrics, pairs, all_rows)
            yield from zip((metric.name for metric in metrics), table.T, strict=True)

    def _table(
        self, metrics: tuple[Metric, ...], pairs: list[Pair], all_rows: Pair | None
    ) -> Values:
        """Metrics of one function, NaN where they cannot be had.  (1 + B, metrics)"""
        first, function = metrics[0], metrics[0].function
        assert function is not None
        if first.all_rows and all_rows is not None:
            return function(all_rows, self.weights)
        if first.all_rows or (first.per_particle and not self.repeated):
            return np.full((len(self.weights), len(metrics)), np.nan)
        # Averaging over random halves matters for small samples, and costs for large ones.
        count = max(
            LEAST_SPLIT_HALVES, min(first.split_halves, ROWS_TO_HALVE // len(self.particle_index))
        )
        return np.mean([function(pair, self.weights) for pair in pairs[:count]], axis=0)
