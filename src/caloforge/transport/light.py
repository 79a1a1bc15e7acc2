"""Cherenkov light that a quartz fibre keeps and carries to its end, per step of a charged particle.

Shapes: S steps of one shower. A step has a velocity ``beta``, the cosine ``cosine`` of its
direction to the fibre axis (+1 towards the photomultiplier, behind the calorimeter), a length in
mm, a charge in units of e and an ``impact``: distance of its line to the fibre axis
over the radius.

Photons per mm follow Frank and Tamm, 2 pi alpha sin^2(theta_c) (1/300 nm - 1/600 nm); a photon is
kept when its angle to the axis is below arcsin(NA / n), which the cone around the track fulfils for
a fraction arccos((cos theta_max - cos a cos theta_c) / (sin a sin theta_c)) / pi of its azimuth.
Attenuation, reflections and quantum efficiency are in one number, ``LIGHT_SCALE``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.io.arrays import open_arrays

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
