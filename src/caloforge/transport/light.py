"""Cherenkov light that a quartz fibre keeps and carries to its end, per step of a charged particle.

Shapes: S steps of one shower. A step has a velocity ``beta``, the cosine ``cosine`` of its
direction to the fibre axis (+1 towards the photomultiplier, behind the calorimeter), a length in
mm, a charge in units of e and an ``impact``: distance of its line to the fibre axis
over the radius.

Photons per mm follow Frank and Tamm, 2 pi alpha sin^2(theta_c) (1/300 nm - 1/600 nm); a photon is
kept when its angle to the axis is below arcsin(NA / n), which the cone around the track fulfils for
a fraction arccos((cos theta_max - cos a cos theta_c) / (sin a sin theta_c)) / pi of its azimuth.
Attenuation, reflections and quantum efficiency are in one number, ``LIGHT_SCALE``.

From the conditions of a particle to where and how it meets the front face.

Shapes: P particles. ZDC particles fly straight from their vertex over 112.6 m; into the ZP the
magnets add a shift in x that is linear in 1 / rigidity. Particles of the EM calorimeter are given
at its face. Lengths in mm, energies in GeV; +z points into the calorimeter on either side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.detector.features import Description
from caloforge.errors import DataError, UsageError
from caloforge.io.arrays import open_arrays
from caloforge.transport.geometry import Geometry, PlateStack

Array = NDArray[np.float64]

REFRACTIVE_INDEX = 1.46
NUMERICAL_APERTURE = 0.22
WAVELENGTHS_NM = (300.0, 600.0)
FINE_STRUCTURE = 1 / 137.035999

LIGHT_SCALE = 0.193
"""Counts per trapped photon: a 513.318 GeV photon gives the 291 counts of the one public row of
ALICE data. It traps 1506 +- 12 photons here (12 showers); the row is one: 6 %."""


class LightYield(Protocol):
    """Photons kept by the fibre per step, before ``light_scale``."""

    @property
    def needs_impact(self) -> bool:
        """Whether the impact parameter matters."""
        ...

    def __call__(self, beta: Array, cosine: Array, impact: Array) -> Array:
        """Photons per mm of a particle of unit charge.  (S,)"""
        ...


@dataclass(frozen=True)
class Formula:
    """Threshold and acceptance by formula, for meridional rays."""

    name: str = "formula"
    needs_impact: bool = False
    refractive_index: float = REFRACTIVE_INDEX
    numerical_aperture: float = NUMERICAL_APERTURE

    def __call__(self, beta: Array, cosine: Array, impact: Array) -> Array:
        """Photons per mm of a particle of unit charge.  (S,)"""
        angle_cos = 1 / np.maximum(beta * self.refractive_index, 1e-9)
        radiates = angle_cos < 1
        angle_sin = np.sqrt(np.where(radiates, 1 - angle_cos**2, 0))
        return photons_per_mm(angle_sin**2) * self.acceptance(cosine, angle_cos, angle_sin)

    def acceptance(self, cosine: Array, angle_cos: Array, angle_sin: Array) -> Array:
        """Fraction of the Cherenkov cone inside the fibre's numerical aperture.  (S,)"""
        limit = math.cos(math.asin(self.numerical_aperture / self.refractive_index))
        sine = np.sqrt(np.maximum(1 - cosine**2, 1e-12))
        bound = (limit - cosine * angle_cos) / np.maximum(sine * angle_sin, 1e-12)
        return np.arccos(np.clip(bound, -1, 1)) / math.pi


@dataclass(frozen=True)
class Table:
    """A measured or simulated yield on a grid, read by linear interpolation.

    Outside the grid the nearest edge counts, but below the lowest velocity there is no light.
    """

    name: str
    beta: Array
    cosine: Array
    impact: Array
    photons: Array

    @property
    def needs_impact(self) -> bool:
        """Whether the impact parameter matters."""
        return len(self.impact) > 1

    def __call__(self, beta: Array, cosine: Array, impact: Array) -> Array:
        """Photons per mm of a particle of unit charge.  (S,)"""
        from scipy.interpolate import RegularGridInterpolator

        axes = [axis for axis in (self.beta, self.cosine, self.impact) if len(axis) > 1]
        grid = self.photons.squeeze(-1) if not self.needs_impact else self.photons
        values = (beta, cosine, impact)[: len(axes)]
        points = [np.clip(v, axis[0], axis[-1]) for v, axis in zip(values, axes, strict=True)]
        photons = RegularGridInterpolator(axes, grid)(np.stack(points, axis=-1))
        return np.where(beta < self.beta[0], 0, photons)

    @classmethod
    def read(cls, path: str | Path) -> Table:
        """Read an npz of ``beta cosine impact`` axes and ``photons_per_mm`` on their grid.

        Raises DataError when arrays are missing, not increasing, or of another shape.
        """
        path, names = Path(path), ("beta", "cosine", "impact", "photons_per_mm")
        try:
            with open_arrays(path) as file:
                axes = [file.floats(name) for name in names[:-1]]
                photons = file.floats(names[-1], len(axes))
        except DataError as error:
            raise DataError(f"{error}; a light table is an npz of {', '.join(names)}") from None
        if photons.shape != tuple(map(len, axes)) or min(map(len, axes[:2])) < 2:
            raise DataError(f"{path}: photons_per_mm is {photons.shape}, its axes say otherwise")
        if any((np.diff(axis) <= 0).any() for axis in axes) or not (photons >= 0).all():
            raise DataError(f"{path}: axes must increase and photons be finite and not negative")
        return cls(path.name, axes[0], axes[1], axes[2], photons)


def photons_per_mm(sine_squared: Array) -> Array:
    """Photons emitted per mm at unit charge (Frank and Tamm).  (S,)"""
    short, long = (wavelength * 1e-6 for wavelength in WAVELENGTHS_NM)
    return 2 * math.pi * FINE_STRUCTURE * (1 / short - 1 / long) * sine_squared


def threshold_mev(mass_mev: float, refractive_index: float = REFRACTIVE_INDEX) -> float:
    """Kinetic energy in MeV above which a particle radiates in quartz."""
    beta = 1 / refractive_index
    return mass_mev * (1 / math.sqrt(1 - beta**2) - 1)


MEAN_KEPT = 0.00655
"""Mean fraction kept of a shower's fast tracks, for scoring without directions: 513 GeV photons
then give as much light as with directions."""


def mean_photons_per_mm() -> float:
    """Photons kept per mm of a fast track, averaged over the directions in a shower."""
    saturated = 1 - 1 / REFRACTIVE_INDEX**2
    return float(photons_per_mm(np.array(saturated))) * MEAN_KEPT


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
    return x, y, direction, c["Energy"] - c["mass"] / 1000


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
