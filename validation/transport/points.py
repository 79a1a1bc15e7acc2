"""What is measured: one particle type at one energy in one calorimeter, many times."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from caloforge.detector.matter import TUNGSTEN
from caloforge.detectors import detector_of_name
from caloforge.transport.data_tables import Tables
from caloforge.transport.geometry import FibreStack, Geometry, geometry_of
from caloforge.transport.request import Particles, Request, Shot, shower_seed
from caloforge.transport.run import prepare
from validation.transport.measuring import Series


@dataclass(frozen=True)
class Point:
    """Particles of one type and energy, spread over a square; perpendicular unless tilted."""

    name: str
    detector: str
    pdg: int
    kinetic_gev: float
    showers: int
    spread_mm: float = 3.2
    scoring: str | None = None
    tilted: bool = False
    """Slanted across the grooves, for what depends on the mean density alone."""
    block: bool = False
    """A block of pure tungsten in place of the fibre calorimeter."""


TILT = (0.04, 0.03, (1 - 0.04**2 - 0.03**2) ** 0.5)
"""Crosses a cell each 40 mm and stays inside for more than 800 mm."""

E_PLUS, GAMMA, NEUTRON = -11, 22, 2112
EM_SHOWERS = {1.0: 3000, 3.0: 1000, 10.0: 300, 30.0: 300, 100.0: 300}
"""By energy in GeV; more where a shower fluctuates by several per cent."""
ZN_NEUTRONS = ((100.0, 300), (30.0, 200), (300.0, 80), (1000.0, 25))
ZN_PHOTONS = ((100.0, 80), (30.0, 100), (300.0, 30), (1000.0, 10))
INTERACTIONS = 4000


def all_points() -> list[Point]:
    """Everything that the validation measures, what the statements need first."""
    interaction = Point("", "alice_zn", NEUTRON, 100.0, INTERACTIONS, 16.0, "interaction", True)
    em = [
        Point(f"em-{name}-{energy:g}", "atlas_em", pdg, energy, showers, 20.0)
        for energy, showers in EM_SHOWERS.items()
        for name, pdg in (("eplus", E_PLUS), ("gamma", GAMMA))
    ]
    zn = [Point(f"zn-neutron-{e:g}", "alice_zn", NEUTRON, e, n) for e, n in ZN_NEUTRONS]
    zn += [Point(f"zn-photon-{e:g}", "alice_zn", GAMMA, e, n) for e, n in ZN_PHOTONS]
    return [
        replace(interaction, name="block-interaction", block=True),
        replace(interaction, name="zn-interaction"),
        *em[:-2],
        zn[0],
        *em[-2:],
        *zn[1:],
        Point("zn-length-100", "alice_zn", NEUTRON, 100.0, 100, scoring="length"),
    ]


def quick_points() -> list[Point]:
    """A few showers of the cheapest points: shows that it runs, proves nothing."""
    cheap = [
        point for point in all_points() if point.kinetic_gev <= 30 or point.scoring == "interaction"
    ]
    return [replace(p, showers=200 if p.scoring else 8) for p in cheap]


def series_of(point: Point, seed: int) -> Series:
    """The shots of a point."""
    request, tables = _request(point)
    shots = [_shot(point, seed, row) for row in range(point.showers)]
    return Series(point.name, request, tables, shots)


def _request(point: Point) -> tuple[Request, Tables]:
    detector = detector_of_name(point.detector)
    conditions = np.zeros((1, len(detector.columns)))
    particles = Particles(np.array([point.pdg], np.int32), conditions, np.zeros(1, np.int64), "")
    geometry = _block() if point.block else geometry_of(detector)
    request, tables = prepare(detector, particles, geometry=geometry, scoring=point.scoring)
    assert tables is not None
    return request, tables


def _block() -> Geometry:
    """The fibre calorimeter with tungsten everywhere."""
    return FibreStack(
        absorber=TUNGSTEN, groove=TUNGSTEN, fibre=TUNGSTEN, groove_mm=0.6, fibre_diameter_mm=0.365,
        source="pure tungsten, for PDG's interaction length",
    )  # fmt: skip


def meets_metal(point: Point, seed: int) -> NDArray[np.bool_]:
    """Whether each particle of a fibre point starts in the metal, not in a groove.  (N,)"""
    geometry, detector = (
        geometry_of(detector_of_name(point.detector)),
        detector_of_name(point.detector),
    )
    assert isinstance(geometry, FibreStack)
    places = np.array([_shot(point, seed, row).position_mm for row in range(point.showers)])
    pitch = np.array(detector.layers[0].cell_mm)
    inside = np.abs(np.mod(places, pitch) - pitch / 2) < geometry.groove_mm / 2
    return ~np.asarray(inside.all(axis=1))


def _shot(point: Point, seed: int, row: int) -> Shot:
    """Shower ``row`` of a point: its place is drawn from its own seed."""
    own = shower_seed(seed, hash_of(point.name), row)
    x, y = np.random.default_rng([own, 2]).uniform(-point.spread_mm, point.spread_mm, 2).tolist()
    if not point.tilted:
        return Shot(row, point.pdg, point.kinetic_gev, (x, y), (0.0, 0.0, 1.0), own)
    start = (x - point.spread_mm, y - point.spread_mm)
    return Shot(row, point.pdg, point.kinetic_gev, start, TILT, own)


def hash_of(name: str) -> int:
    """A number of a name that is the same in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
