"""Paired bootstrap: all samples meet the same split halves and resamplings of the real showers.

Shapes: N real rows, M rows of another sample, P particles, B resamplings.

Metrics are also of parts of the particles (by kind, by band of energy, by impact point), since a
mean over all hides a part that is wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.derive import evaluate_features
from caloforge.data.showers import Showers
from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.evaluate import resampling
from caloforge.evaluate.metrics import diversity, shapes, wasserstein
from caloforge.evaluate.metrics.metric import Metric, own_paired_metrics
from caloforge.evaluate.observables import Observed, observe
from caloforge.evaluate.resampling import Halves, Indices, Measured, Pair, Side, measured

Values = NDArray[np.float64]
Replicates = dict[str, Values]
"""Each metric under all resamplings, the sample's own value first; (1 + B,) each."""
FAMILIES = (wasserstein, diversity, shapes)
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
            first, function = metrics[0], metrics[0].function
            assert function is not None
            if first.all_rows and all_rows is not None:
                table = function(all_rows, self.weights)
            elif first.all_rows or (first.per_particle and not self.repeated):
                table = np.full((len(self.weights), len(metrics)), np.nan)
            else:
                # Averaging over random halves matters for small samples, and costs for large ones.
                most = ROWS_TO_HALVE // len(self.particle_index)
                count = max(LEAST_SPLIT_HALVES, min(first.split_halves, most))
                table = np.mean([function(pair, self.weights) for pair in pairs[:count]], axis=0)
            yield from zip((metric.name for metric in metrics), table.T, strict=True)


ENERGY_BANDS = 4
REGION_RESAMPLINGS = 100
REGION_SPLIT_HALVES = 4
UNDEFINED = "undefined"


@dataclass(frozen=True)
class Region:
    """Numbers of some of the particles, with those of real against real."""

    grouping: str
    title: str
    particles: int
    value: dict[str, Measured]
    floor: dict[str, Measured]

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "grouping": self.grouping,
            "title": self.title,
            "particles": self.particles,
            "value": {name: number.record for name, number in self.value.items()},
            "floor": {name: number.record for name, number in self.floor.items()},
        }


def regions(
    real: Showers, generated: Showers, *, scheme: str | None = None, seed: int = 0
) -> tuple[Region, ...]:
    """All groups of particles of both samples, each with its numbers."""
    _, particle_index, other = resampling.index_shared_particles(real.particle, generated.particle)
    first = np.unique(particle_index[particle_index >= 0], return_index=True)[1]
    particles = real.rows(np.flatnonzero(particle_index >= 0)).rows(first)
    metrics = region_metrics(real.detector, scheme)
    observed = observe(real, scheme), observe(generated, scheme)
    result = []
    for grouping, title, members in groups(particles):
        if not members.any():
            continue
        place = np.where(members, np.cumsum(members) - 1, -1)
        indices = [np.where(s >= 0, place[s], -1) for s in (particle_index, other)]
        part = [
            (_observed_rows(one, s >= 0), s[s >= 0])
            for one, s in zip(observed, indices, strict=True)
        ]
        result.append(_region(grouping, title, part[0], part[1], metrics, seed))
    return tuple(result)


def _region(
    grouping: str,
    title: str,
    real: tuple[Observed, Indices],
    generated: tuple[Observed, Indices],
    metrics: tuple[Metric, ...],
    seed: int,
) -> Region:
    """The numbers of one group of particles."""
    halves_rng, rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    particles = int(real[1].max()) + 1
    n_showers = resampling.equal_n_showers(real[1], generated[1], particles)
    bootstrap = PairedBootstrap.of(*real, n_showers, metrics, REGION_RESAMPLINGS, halves_rng)
    value, floor = bootstrap.evaluate(*generated, rng), bootstrap.evaluate_real()
    names = [metric.name for metric in metrics if metric.by_region]
    return Region(
        grouping,
        title,
        particles,
        {name: measured(value[name], UNDEFINED) for name in names},
        {name: measured(floor[name], UNDEFINED) for name in names},
    )


def region_metrics(detector: Detector, scheme: str | None = None) -> tuple[Metric, ...]:
    """Metrics that are given by region, and those that their functions compute beside them."""
    metrics = paired_metrics(detector, scheme)
    keys = {metric.key for metric in metrics if metric.by_region}
    return tuple(
        dataclasses.replace(m, split_halves=min(m.split_halves, REGION_SPLIT_HALVES))
        for m in metrics
        if m.key in keys
    )


def _observed_rows(observed: Observed, mask: NDArray[np.bool_]) -> Observed:
    return Observed(
        observed.cells[mask],
        observed.channels[mask],
        {name: values[mask] for name, values in observed.values.items()},
        {name: values[mask] for name, values in observed.texture.items()},
    )


def groups(particles: Showers) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Grouping, title and members of every group; one row of ``particles`` each.  (P,)"""
    if particles.pdg is not None:
        for kind in np.unique(particles.pdg):
            yield "kind", kind_name(int(kind)), particles.pdg == kind
    energy = particles.conditions[:, 0]
    condition = particles.detector.conditions[0]
    edges = np.unique(np.quantile(energy, np.linspace(0, 1, ENERGY_BANDS + 1)))
    for low, high in pairwise(edges):
        members = (energy >= low) & ((energy < high) | (high == edges[-1]))
        yield "energy", f"{condition.name} {low:.4g} to {high:.4g} {condition.unit}", members
    yield from _impacts(particles)


def kind_name(pdg: int) -> str:
    """Name of a kind of particle, its number where it has none."""
    from particle import InvalidParticle, Particle, ParticleNotFound

    try:
        return str(Particle.from_pdgid(pdg).name)
    except (ParticleNotFound, InvalidParticle):
        return f"pdg {pdg}"


def _impacts(particles: Showers) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Middle, rim and outside of the front face, where conditions tell the impact point."""
    point = impact_mm(particles.detector, particles.conditions)
    if point is None:
        return
    layer = particles.detector.layers[0]
    half = np.array([n * size / 2 for n, size in zip(layer.shape, layer.cell_mm, strict=True)])
    away = np.abs(point / half).max(axis=1)
    for title, members in (
        ("middle (inner half of the face)", away < 0.5),
        ("rim", (away >= 0.5) & (away <= 1)),
        ("outside the face", away > 1),
    ):
        if members.any():
            yield "impact", title, members


def impact_mm(detector: Detector, conditions: Values) -> Values | None:
    """Impact point on the front face in mm, None where no condition tells it.  (N, 2)"""
    flights = [f for f in detector.features if f.kind == "impact" and f.direction == "momentum"]
    # By vertex, that is by axis: a dispersed point takes the place of the straight one before it.
    by_axis = tuple({feature.of[0]: feature for feature in flights}.values())
    if len(by_axis) == 2:
        return 10 * evaluate_features(by_axis, detector.columns, conditions)
    axis_column = {
        c.axis: n for n, c in enumerate(detector.conditions) if c.axis and c.unit == "mm"
    }
    if set(axis_column) == {"x", "y"}:
        return conditions[:, [axis_column["x"], axis_column["y"]]]
    return None
