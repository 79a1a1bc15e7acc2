"""Laws of particles, so that nobody needs an event generator to start.

Shapes: P particles, C conditions. Energies in GeV, momenta in GeV/c, vertices in cm. A law is
called with random numbers, a detector and P; it returns PDG numbers (P,) and conditions (P, C).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.detectors.species import MEV_PER_GEV, SPECIES

Array = NDArray[np.float64]
Drawn = tuple[NDArray[np.int32], Array]

BEAM_GEV = 1380.0
"""Energy a nucleon of the beam."""
FERMI_GEV = 0.265
"""Largest momentum of a nucleon in lead, whose nucleons fill a sphere of momenta evenly."""
VERTEX_CM = (7e-4, 7e-4, 4.0)
"""Spread of the interaction point."""
FACE_MARGIN = 1.1
"""Impact points cover the face and a tenth around it, so that some particles just miss."""


class Law(Protocol):
    """A law of particles."""

    def __call__(self, rng: np.random.Generator, detector: Detector, count: int) -> Drawn:
        """PDG numbers (P,) and conditions (P, C) of particles of a detector."""
        ...


@dataclass(frozen=True)
class Spectators:
    """Nucleons at rest in a nucleus but for Fermi motion, boosted to the beam's energy."""

    pdg: int

    def __call__(self, rng: np.random.Generator, detector: Detector, count: int) -> Drawn:
        """Particles with the nine conditions of a ZDC.  (P,), (P, 9)"""
        mass = SPECIES[self.pdg].mass_gev
        momentum = rng.normal(0.0, 1.0, (count, 3))
        size = FERMI_GEV * np.cbrt(rng.random(count))
        momentum *= (size / np.linalg.norm(momentum, axis=1))[:, None]
        energy = np.sqrt((momentum**2).sum(axis=1) + mass**2)
        gamma = BEAM_GEV / mass
        momentum[:, 2] = gamma * (momentum[:, 2] + np.sqrt(1 - gamma**-2) * energy)
        pdg = np.full(count, self.pdg, np.int32)
        return pdg, _zdc_conditions(pdg, momentum, _vertices(rng, count))


@dataclass(frozen=True)
class OverTheFace:
    """Log-uniform momenta of a mix of particles towards points spread evenly over the face.

    Where magnets spread the particles along x by momentum, all start towards x = 0.
    """

    mix: tuple[int, ...]
    momenta_gev: tuple[float, float]
    half_width_cm: float | None = None
    """Points lie so far from the middle, at most; None: on all of the face."""

    def __call__(self, rng: np.random.Generator, detector: Detector, count: int) -> Drawn:
        """Particles with the nine conditions of a ZDC.  (P,), (P, 9)"""
        pdg = np.full(count, self.mix[0], np.int32)
        if len(self.mix) > 1:
            pdg = rng.choice(np.array(self.mix, np.int32), count)
        low, high = np.log(self.momenta_gev).tolist()
        size = np.exp(rng.uniform(low, high, count))
        vertex = _vertices(rng, count)
        layer = detector.layers[0]
        width_mm = np.multiply(layer.shape, layer.cell_mm)
        half = width_mm / 2 / 10 * FACE_MARGIN
        half = half if self.half_width_cm is None else np.minimum(half, self.half_width_cm)
        target = rng.uniform(-half, half, (count, 2))
        if detector.dispersion is not None:
            target[:, 0] = 0.0
        slope = (target - vertex[:, :2]) / ((detector.distance_cm or 0.0) - vertex[:, 2:])
        along = size / np.sqrt(1 + (slope**2).sum(axis=1))
        momentum = np.column_stack([slope * along[:, None], along])
        return pdg, _zdc_conditions(pdg, momentum, vertex)


@dataclass(frozen=True)
class Cone:
    """Uniform energies, starts and directions of one particle in a cone, as CaloGAN shoots them.

    References:
        M. Paganini, L. de Oliveira, B. Nachman, arXiv:1712.10321.
    """

    pdg: int
    energy_gev: tuple[float, float] = (1.0, 100.0)
    half_width_mm: float = 50.0
    before_face_mm: float = 48.0
    """CaloGAN starts particles at z = -288 mm; the face, where conditions hold, is at -240 mm."""
    opening_rad: float = float(np.radians(5.0))

    def __call__(self, rng: np.random.Generator, detector: Detector, count: int) -> Drawn:
        """Particles with energy, the authors' angles and the impact point.  (P,), (P, 5)"""
        energy = rng.uniform(*self.energy_gev, count)
        start = rng.uniform(-self.half_width_mm, self.half_width_mm, (count, 2))
        along = rng.uniform(np.cos(self.opening_rad), 1.0, count)
        azimuth = rng.uniform(0, 2 * np.pi, count)
        across = np.sqrt(1 - along**2)
        ux, uy = across * np.cos(azimuth), across * np.sin(azimuth)
        face = start + self.before_face_mm * np.column_stack([ux, uy]) / along[:, None]
        conditions = np.column_stack([energy, np.arccos(uy), np.arctan(-ux / along), face])
        return np.full(count, self.pdg, np.int32), conditions


def _zdc_conditions(pdg: NDArray[np.int32], momentum: Array, vertex: Array) -> Array:
    """The nine conditions of a ZDC.  (P, 9)"""
    mass = np.array([SPECIES[number].mass_mev for number in pdg.tolist()])
    charge = np.array([float(SPECIES[number].charge) for number in pdg.tolist()])
    energy = np.sqrt((momentum**2).sum(axis=1) + (mass / MEV_PER_GEV) ** 2)
    return np.column_stack([energy, vertex, momentum, mass, charge])


def _vertices(rng: np.random.Generator, count: int) -> Array:
    return rng.normal(0.0, VERTEX_CM, (count, 3))
