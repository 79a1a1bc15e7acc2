"""Tables per kind of particle, energy band and impact region: a mean hides a broken corner.

Shapes: N rows, P particles, B resamplings.
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
from caloforge.evaluate import repeats
from caloforge.evaluate.court import convene
from caloforge.evaluate.measure import Measure
from caloforge.evaluate.measured import Measured, measured
from caloforge.evaluate.measures import distances, diversities, shapes
from caloforge.evaluate.observables import Observed, observables, observe
from caloforge.evaluate.repeats import Rows
from caloforge.evaluate.shapes import TOTAL

if TYPE_CHECKING:
    from caloforge.data.showers import Showers
    from caloforge.detector import Detector

Values = NDArray[np.float64]
ENERGY_BANDS = 4
RESAMPLINGS = 100
HALVINGS = 4
UNDEFINED = "undefined"
SHOWN = ("conditional_w1", "w1", "mean_total", "sigma_total")


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
    _, slot, other = repeats.shared_slots(real.particle, generated.particle)
    first = np.unique(slot[slot >= 0], return_index=True)[1]
    particles = real.rows(np.flatnonzero(slot >= 0)).rows(first)
    table = _measures(real, scheme)
    seen = observe(real, scheme), observe(generated, scheme)
    found = []
    for grouping, title, members in groups(particles):
        if not members.any():
            continue
        place = np.where(members, np.cumsum(members) - 1, -1)
        slots = [np.where(s >= 0, place[s], -1) for s in (slot, other)]
        part = [(_rows(one, s >= 0), s[s >= 0]) for one, s in zip(seen, slots, strict=True)]
        found.append(_region(grouping, title, part[0], part[1], table, seed))
    return tuple(found)


def _region(
    grouping: str,
    title: str,
    real: tuple[Observed, Rows],
    generated: tuple[Observed, Rows],
    table: tuple[Measure, ...],
    seed: int,
) -> Region:
    """The numbers of one group of particles."""
    chance, random = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    particles = int(real[1].max()) + 1
    numbers = repeats.equal_numbers(real[1], generated[1], particles)
    court = convene(real[0], real[1], numbers, table, RESAMPLINGS, chance)
    value, floor = court.hear(generated[0], generated[1], random), court.hear_real()
    return Region(
        grouping,
        title,
        particles,
        {name: measured(value[name], UNDEFINED) for name in SHOWN if name in value},
        {name: measured(floor[name], UNDEFINED) for name in SHOWN if name in floor},
    )


def _rows(seen: Observed, kept: NDArray[np.bool_]) -> Observed:
    return Observed(
        seen.cells[kept],
        seen.channels[kept],
        {name: values[kept] for name, values in seen.values.items()},
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
    wanted = tuple({feature.of[0]: feature for feature in flights}.values())
    if len(wanted) == 2:
        return 10 * evaluate_features(wanted, detector.columns, conditions)
    named = {c.axis: n for n, c in enumerate(detector.conditions) if c.axis and c.unit == "mm"}
    if set(named) == {"x", "y"}:
        return conditions[:, [named["x"], named["y"]]]
    return None


def _measures(real: Showers, scheme: str | None) -> tuple[Measure, ...]:
    """The measures whose rows are shown."""
    detector = real.detector
    labels = detector.scheme(scheme).labels
    everything = (
        *distances(detector.unit, labels),
        *diversities(labels, observables(detector)),
        *shapes(detector.unit, (TOTAL,)),
    )
    return tuple(
        dataclasses.replace(m, halvings=min(m.halvings, HALVINGS))
        for m in everything
        if m.rows[0].name in SHOWN
    )
