"""Metrics of parts of the particles: by kind, by band of energy, by impact point.

Shapes: N rows, P particles, B resamplings.

A mean over all particles hides a part of them that is wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.scaling import evaluate_features
from caloforge.evaluate import resampling
from caloforge.evaluate.metrics.metric import Metric
from caloforge.evaluate.observables import Observed, observe
from caloforge.evaluate.paired import PairedBootstrap, paired_metrics
from caloforge.evaluate.resampling import Indices, Measured, measured

if TYPE_CHECKING:
    from caloforge.data.showers import Showers
    from caloforge.detector import Detector

Values = NDArray[np.float64]
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
