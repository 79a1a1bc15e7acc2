"""Named spectra of particles, so that nobody needs a generator to start.

Shapes: P particles. Energies in GeV, momenta in GeV/c, vertices in cm. The ZDC spectra follow the
card of shared/data: spectators of a nucleus at 1380 GeV a nucleon with Fermi motion, a continuum,
photons; the EM spectra follow CaloGAN (calo.md b2).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.transport.arrival import DISPERSIONS, half_widths
from caloforge.transport.geometry import geometry_of
from caloforge.transport.particles import Particles

Array = NDArray[np.float64]
Rng = np.random.Generator

BEAM_GEV = 1380.0
"""Energy a nucleon of the beam."""
FERMI_GEV = 0.265 / np.sqrt(5.0)
"""Width of one component of a nucleon's momentum in lead: a Fermi sphere of 265 MeV/c."""
VERTEX_CM = (7e-4, 7e-4, 4.0)
"""Spread of the interaction point."""
PHOTON_GEV = (10.0, 1400.0)
HADRON_GEV = {"alice_zn": (30.0, 1400.0), "alice_zp": (600.0, 2700.0)}
FACE_MARGIN = 1.1
"""Impact points cover the face and a tenth around it, so that some particles just miss."""

MASS_MEV = {
    22: 0.0,
    2112: 939.565,
    2212: 938.272,
    211: 139.570,
    -211: 139.570,
    130: 497.611,
    321: 493.677,
}
CHARGE = {22: 0.0, 2112: 0.0, 2212: 1.0, 211: 1.0, -211: -1.0, 130: 0.0, 321: 1.0}
MIXES = {"alice_zn": (2112, 130, 211, -211, 2212), "alice_zp": (2212, 211, 321)}

EM_GEV = (1.0, 100.0)
EM_HALF_WIDTH_MM = 50.0
EM_BEFORE_FACE_MM = 48.0
"""CaloGAN starts particles at z = -288 mm; the face, where conditions are given, is at -240 mm."""
EM_CONE = np.radians(5.0)


def draw(name: str, detector: Detector, count: int, seed: int) -> Particles:
    """Particles of a named spectrum; UsageError with the names that the detector has."""
    law = law_of_name(name, detector)
    rng = np.random.default_rng([seed, *name.encode()])
    pdg, conditions = law(rng, detector, count)
    return Particles(pdg, conditions, np.arange(count), f"spectrum {name}, seed {seed}")


def law_of_name(name: str, detector: Detector) -> Callable[[Rng, Detector, int], Drawn]:
    """How a named spectrum is drawn; UsageError with the names that the detector has."""
    key = (detector.name, name)
    if key not in SPECTRA:
        names = sorted(spectrum for owner, spectrum in SPECTRA if owner == detector.name)
        raise UsageError(
            f"{detector.name} has no spectrum {name}; it has {', '.join(names) or 'none'}"
        )
    return SPECTRA[key]


Drawn = tuple[NDArray[np.int32], Array]


def _rows(pdg: NDArray[np.int32], momentum: Array, vertex: Array) -> Array:
    """The nine conditions of the ZDCs.  (P, 9)"""
    mass = np.array([MASS_MEV[number] for number in pdg.tolist()])
    charge = np.array([CHARGE[number] for number in pdg.tolist()])
    energy = np.sqrt((momentum**2).sum(axis=1) + (mass / 1000) ** 2)
    return np.column_stack([energy, vertex, momentum, mass, charge])


def _vertices(rng: Rng, count: int) -> Array:
    return rng.normal(0.0, VERTEX_CM, (count, 3))


def _spectators(pdg_number: int) -> Callable[[Rng, Detector, int], Drawn]:
    """Nucleons at rest in a nucleus but for Fermi motion, boosted to the beam's energy."""

    def spectators(rng: Rng, detector: Detector, count: int) -> Drawn:
        pdg = np.full(count, pdg_number, np.int32)
        mass = MASS_MEV[pdg_number] / 1000
        momentum = rng.normal(0.0, FERMI_GEV, (count, 3))
        energy = np.sqrt((momentum**2).sum(axis=1) + mass**2)
        gamma = BEAM_GEV / mass
        momentum[:, 2] = gamma * (momentum[:, 2] + np.sqrt(1 - gamma**-2) * energy)
        return pdg, _rows(pdg, momentum, _vertices(rng, count))

    return spectators


def _photons(rng: Rng, detector: Detector, count: int) -> Drawn:
    return _over_the_face(rng, detector, np.full(count, 22, np.int32), PHOTON_GEV)


def _hadrons(rng: Rng, detector: Detector, count: int) -> Drawn:
    pdg = rng.choice(np.array(MIXES[detector.name], np.int32), count)
    return _over_the_face(rng, detector, pdg, HADRON_GEV[detector.name])


def _over_the_face(
    rng: Rng, detector: Detector, pdg: NDArray[np.int32], energies: tuple[float, float]
) -> Drawn:
    """Log-uniform momenta towards impact points spread evenly over the face."""
    count = len(pdg)
    low, high = np.log(energies).tolist()
    size = np.exp(rng.uniform(low, high, count))
    vertex = _vertices(rng, count)
    half = np.array(half_widths(detector, geometry_of(detector))) / 10 * FACE_MARGIN
    target = rng.uniform(-half, half, (count, 2))
    if detector.name in DISPERSIONS:
        target[:, 0] = 0.0  # the magnets spread x by momentum
    slope = (target - vertex[:, :2]) / ((detector.distance_cm or 0.0) - vertex[:, 2:])
    along = size / np.sqrt(1 + (slope**2).sum(axis=1))
    return pdg, _rows(pdg, np.column_stack([slope * along[:, None], along]), vertex)


def _cone(pdg_number: int) -> Callable[[Rng, Detector, int], Drawn]:
    """Uniform energy, start and direction within 5 degrees; the authors' angles."""

    def cone(rng: Rng, detector: Detector, count: int) -> Drawn:
        energy = rng.uniform(*EM_GEV, count)
        start = rng.uniform(-EM_HALF_WIDTH_MM, EM_HALF_WIDTH_MM, (count, 2))
        along = rng.uniform(np.cos(EM_CONE), 1.0, count)
        azimuth = rng.uniform(0, 2 * np.pi, count)
        across = np.sqrt(1 - along**2)
        ux, uy = across * np.cos(azimuth), across * np.sin(azimuth)
        face = start + EM_BEFORE_FACE_MM * np.column_stack([ux, uy]) / along[:, None]
        conditions = np.column_stack([energy, np.arccos(uy), np.arctan(-ux / along), face])
        return np.full(count, pdg_number, np.int32), conditions

    return cone


SPECTRA: dict[tuple[str, str], Callable[[Rng, Detector, int], Drawn]] = {
    ("alice_zn", "spectator-neutrons"): _spectators(2112),
    ("alice_zn", "photons"): _photons,
    ("alice_zn", "hadron-mix"): _hadrons,
    ("alice_zp", "spectator-protons"): _spectators(2212),
    ("alice_zp", "hadron-mix"): _hadrons,
    ("atlas_em", "eplus"): _cone(-11),
    ("atlas_em", "gamma"): _cone(22),
    ("atlas_em", "piplus"): _cone(211),
}
"""Spectra by detector and name."""
