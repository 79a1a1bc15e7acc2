"""From the conditions of a particle to where and how it meets the front face.

Shapes: P particles. ZDC particles fly straight from their vertex over 112.6 m; into the ZP the
magnets add a shift in x that is linear in 1 / rigidity. Particles of the EM calorimeter are given
at its face. Lengths in mm, energies in GeV; +z points into the calorimeter on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.detector.features import Description
from caloforge.detectors.species import MEV_PER_GEV
from caloforge.errors import DataError, UsageError
from caloforge.transport.geometry import Geometry, PlateStack

Array = NDArray[np.float64]
SHORTEST_FLIGHT_COSINE = 0.05


class Upstream(Description):
    """Material before the calorimeter: a particle that it stops leaves an empty shower.

    A photon, electron or positron is lost with probability 1 - exp(-7/9 X) (photons; electrons
    1 - exp(-X)), a hadron with 1 - exp(-L); whatever misses the round aperture is lost, too.
    """

    radiation_lengths: float = 0.0
    interaction_lengths: float = 0.0
    aperture_mm: float | None = None
    """Radius of the opening, projected on the front face."""


@dataclass(frozen=True)
class Arrivals:
    """Particles at the front face."""

    x_mm: Array
    y_mm: Array
    direction: Array
    """Unit vectors, z > 0.  (P, 3)"""
    kinetic_gev: Array
    hits: NDArray[np.bool_]
    """Whether the front face is met.  (P,)"""


def arrivals(detector: Detector, geometry: Geometry, conditions: Array) -> Arrivals:
    """Where particles meet the face.  (P, C)

    Raises DataError for a row without energy or direction, UsageError for an unknown beam line.
    """
    for columns, aim in AIMS:
        if set(columns) <= set(detector.columns):
            x, y, direction, kinetic = aim(detector, _columns(detector, conditions))
            break
    else:
        raise UsageError(f"no beam line leads to {detector.name}: its conditions are unknown")
    _require(np.isfinite(kinetic) & (kinetic > 0), "its energy is not above its mass")
    forward = direction[:, 2] > SHORTEST_FLIGHT_COSINE
    _require(forward, "it does not fly towards the calorimeter")
    half_x, half_y = half_widths(detector, geometry)
    hits = (np.abs(x) < half_x) & (np.abs(y) < half_y)
    return Arrivals(x, y, direction, kinetic, hits)


def half_widths(detector: Detector, geometry: Geometry) -> tuple[float, float]:
    """Half of the width of the front face along x and y."""
    if isinstance(geometry, PlateStack):
        return geometry.width_mm / 2, geometry.width_mm / 2
    layer = detector.layers[0]
    return tuple(n * mm / 2 for n, mm in zip(layer.shape, layer.cell_mm, strict=True))  # type: ignore[return-value]


def _columns(detector: Detector, conditions: Array) -> dict[str, Array]:
    return {name: conditions[:, number] for number, name in enumerate(detector.columns)}


def _require(good: NDArray[np.bool_], complaint: str) -> None:
    if not good.all():
        raise DataError(f"particle in row {int(np.argmin(good))}: {complaint}")


Aim = tuple[Array, Array, Array, Array]


def _fly(detector: Detector, c: dict[str, Array]) -> Aim:
    """Straight flight from the vertex, and the dispersion of charged particles."""
    momentum = np.stack([c["Px"], c["Py"], c["Pz"]], axis=1)
    size = np.linalg.norm(momentum, axis=1)
    _require(size > 0, "it has no momentum")
    direction = momentum / size[:, None]
    side = np.where(direction[:, 2] < 0, -1.0, 1.0)
    direction[:, 2] *= side
    along = np.maximum(direction[:, 2], SHORTEST_FLIGHT_COSINE / 2)
    flight_cm = (detector.distance_cm or 0.0) - side * c["Vz"]
    x, y = (
        10 * (c[f"V{a}"] + flight_cm * direction[:, n] / along) for n, a in ((0, "x"), (1, "y"))
    )
    if detector.dispersion is not None:
        x = x + 10 * detector.dispersion.at(c["charge"], size)
    return x, y, direction, c["Energy"] - c["mass"] / MEV_PER_GEV


def _at_face(detector: Detector, c: dict[str, Array]) -> Aim:
    """The authors' angles: theta = arccos(py / p), phi = arctan(-px / pz)."""
    sine = np.sin(c["theta"])
    direction = np.stack(
        [-sine * np.sin(c["phi"]), np.cos(c["theta"]), sine * np.cos(c["phi"])], axis=1
    )
    return c["x0"], c["y0"], direction, c["E"]


AIMS: tuple[tuple[tuple[str, ...], Callable[[Detector, dict[str, Array]], Aim]], ...] = (
    (("Energy", "Vx", "Vy", "Vz", "Px", "Py", "Pz", "mass", "charge"), _fly),
    (("E", "theta", "phi", "x0", "y0"), _at_face),
)
"""How conditions lead to the face, by the columns that a detector has."""
ELECTRONS, PHOTON = (11, -11), 22


def survival(upstream: Upstream, pdg: NDArray[np.int32], arrived: Arrivals) -> Array:
    """Probability to come through the material upstream.  (P,)"""
    through = np.full(len(pdg), np.exp(-upstream.interaction_lengths))
    through[np.isin(pdg, ELECTRONS)] = np.exp(-upstream.radiation_lengths)
    through[pdg == PHOTON] = np.exp(-7 / 9 * upstream.radiation_lengths)
    if upstream.aperture_mm is not None:
        through[np.hypot(arrived.x_mm, arrived.y_mm) > upstream.aperture_mm] = 0
    return through
