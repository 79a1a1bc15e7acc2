"""Straight flights to the front face, and the numbers that conditions tell of them.

Shapes: N particles. z runs along the beam, x along axis 0 of the images and y along axis 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Flight:
    """Particles where they meet the front face; momenta in any unit, lengths in mm.  (N,) each"""

    energy: Values
    px: Values
    py: Values
    pz: Values
    x_mm: Values
    y_mm: Values

    @property
    def p(self) -> Values:
        """Size of the momentum.  (N,)"""
        return np.sqrt(self.px**2 + self.py**2 + self.pz**2)


def straight(energy: Values) -> Flight:
    """Perpendicular to the face, at its middle."""
    none = np.zeros(len(energy))
    return Flight(energy, none, none, np.ones(len(energy)), none, none)


def carried(flight: Flight, distance_mm: Values, first_row: int = 0) -> Flight:
    """The particles after a straight flight of that length along z (backward if negative).

    Raises DataError naming the first row that does not fly towards the face.
    """
    if len(bad := np.flatnonzero(~(flight.pz > 0))):
        row, pz = first_row + bad[0], flight.pz[bad[0]]
        raise DataError(f"row {row}: pz is {pz:g}: the particle flies away from the face")
    x = flight.x_mm + flight.px / flight.pz * distance_mm
    y = flight.y_mm + flight.py / flight.pz * distance_mm
    return Flight(flight.energy, flight.px, flight.py, flight.pz, x, y)


CONDITIONS: dict[str, Callable[[Flight], Values]] = {
    "E": lambda flight: flight.energy,
    "theta": lambda flight: np.arccos(flight.py / flight.p),
    "phi": lambda flight: np.arctan(-flight.px / flight.pz),
    "polar": lambda flight: np.arctan2(np.hypot(flight.px, flight.py), flight.pz),
    "azimuth": lambda flight: np.arctan2(flight.py, flight.px),
    "x0": lambda flight: flight.x_mm,
    "y0": lambda flight: flight.y_mm,
    "px": lambda flight: flight.px,
    "py": lambda flight: flight.py,
    "pz": lambda flight: flight.pz,
}
"""Conditions by name. ``theta`` and ``phi`` are those of the CaloGAN authors, pi / 2
and 0 for a particle that comes straight in; ``polar`` and ``azimuth`` are the plain ones, and
the azimuth wraps."""


def unit_direction(columns: dict[str, Values]) -> tuple[Values, Values, Values]:
    """Unit vectors along the momenta, from whichever angles there are; z where none are.  3 x (N,)

    The inverse of ``theta`` and ``phi``, or of ``polar`` and ``azimuth``.
    """
    if {"theta", "phi"} <= columns.keys():
        theta, phi = columns["theta"], columns["phi"]
        return -np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)
    if {"polar", "azimuth"} <= columns.keys():
        polar, azimuth = columns["polar"], columns["azimuth"]
        across = np.sin(polar)
        return across * np.cos(azimuth), across * np.sin(azimuth), np.cos(polar)
    rows = len(next(iter(columns.values())))
    return np.zeros(rows), np.zeros(rows), np.ones(rows)
