"""Conditions of a detector from what particles are: PDG number, energy, direction, place.

Shapes: N particles, C conditions. Energies in GeV, momenta in GeV/c, masses in MeV, lengths in cm.

Named spectra of particles that a detector has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from caloforge.detector import Detector
from caloforge.detectors import facts_of
from caloforge.detectors.species import MEV_PER_GEV, SPECIES, species_of
from caloforge.detectors.spectra import Law
from caloforge.errors import DataError, UsageError
from caloforge.io.arrays import finite_numbers, whole_numbers

Array = NDArray[np.float64]
ALONG_Z = (0.0, 0.0, 1.0)
VECTORS = {"momentum_gev": (3,), "direction": (3,), "place_cm": (3,)}
"""Arguments that have three numbers a particle."""


@dataclass(frozen=True)
class Kinematics:
    """Particles as physics names them, one row each."""

    pdg: NDArray[np.int32]
    kinetic_gev: Array
    direction: Array
    """Unit vectors.  (N, 3)"""
    place_cm: Array
    """Vertex, or where the front face is met.  (N, 3)"""

    @property
    def mass_gev(self) -> Array:
        """Mass of each particle.  (N,)"""
        return np.array([species_of(int(number)).mass_gev for number in self.pdg])

    @property
    def charge(self) -> Array:
        """Charge of each particle in units of e.  (N,)"""
        return np.array([float(species_of(int(number)).charge) for number in self.pdg])

    @property
    def momentum_gev(self) -> Array:
        """Momentum vectors.  (N, 3)"""
        size = np.sqrt(self.kinetic_gev * (self.kinetic_gev + 2 * self.mass_gev))
        return size[:, None] * self.direction


def conditions_of(
    detector: Detector,
    *,
    pdg: ArrayLike,
    energy_gev: ArrayLike | None = None,
    kinetic_gev: ArrayLike | None = None,
    momentum_gev: ArrayLike | None = None,
    direction: ArrayLike | None = None,
    place_cm: ArrayLike = (0.0, 0.0, 0.0),
) -> Array:
    """Conditions that the detector's simulators and transport take.  (N, C)

    Args:
        detector: Whose conditions are built.
        pdg: PDG numbers.  (N,) or one for all, as all arguments
        energy_gev: Total energies.  (N,)
        kinetic_gev: Kinetic energies, instead of total ones.  (N,)
        momentum_gev: Momentum vectors, instead of energies and directions.  (N, 3) or (3,)
        direction: Vectors of any length along the flight; default: along z.  (N, 3) or (3,)
        place_cm: Vertex of a Zero Degree Calorimeter, place on the front face of ``atlas_em``
            (whose third number is not used).  (N, 3) or (3,)

    Raises:
        UsageError: the detector's conditions are no kinematics, or not one of the energies and the
            momentum is given.
        DataError: an unknown particle, a PDG number that is not whole, an energy not above the
            mass, a direction of length zero or, at a front face, away from it; numbers that are
            not finite, arguments whose rows do not agree.

    >>> from caloforge.detectors import ALICE_ZN, ATLAS_EM
    >>> conditions_of(ALICE_ZN, pdg=22, energy_gev=[100.0])
    array([[100.,   0.,   0.,   0.,   0.,   0., 100.,   0.,   0.]])
    >>> conditions_of(ATLAS_EM, pdg=-11, kinetic_gev=[50.0], place_cm=(0.2, 0.1, 0.0)).round(3)
    array([[50.   ,  1.571, -0.   ,  2.   ,  1.   ]])
    """
    energies = {"energy_gev": energy_gev, "kinetic_gev": kinetic_gev, "momentum_gev": momentum_gev}
    arguments = {name: values for name, values in energies.items() if values is not None}
    if len(arguments) != 1 or (momentum_gev is not None and direction is not None):
        raise UsageError("give energy_gev or kinetic_gev with a direction, or momentum_gev alone")
    build = builder_of(detector)
    if momentum_gev is None:
        arguments["direction"] = ALONG_Z if direction is None else direction
    arguments |= {"pdg": whole_numbers(np.atleast_1d(pdg), "pdg", np.int32), "place_cm": place_cm}
    columns = _row_for_each(arguments)
    numbers = columns["pdg"].astype(np.int32)
    mass = np.array([species_of(int(number)).mass_gev for number in numbers])
    if momentum_gev is not None:
        along = columns["momentum_gev"]
        size = _lengths(along, "momentum")
        kinetic = np.hypot(size, mass) - mass
    else:
        along = columns["direction"]
        size = _lengths(along, "direction")
        kinetic = (
            columns["energy_gev"] - mass if "energy_gev" in columns else columns["kinetic_gev"]
        )
    _require(kinetic > 0, "its energy is not above its mass")
    return build(Kinematics(numbers, kinetic, along / size[:, None], columns["place_cm"]))


def _row_for_each(arguments: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Finite numbers and vectors, a row for each particle; DataError for misfits.  (N,), (N, 3)"""
    tables = {}
    for name, values in arguments.items():
        table, width = np.asarray(values, dtype=np.float64), VECTORS.get(name, ())
        table = table[None] if table.ndim == len(width) else table
        if table.shape[1:] != width:
            shape = "(N, 3) or (3,)" if width else "(N,) or one number"
            raise DataError(f"{name} has the shape {np.shape(values)}, not {shape}")
        tables[name] = finite_numbers(table, name)
    count = next((len(table) for table in tables.values() if len(table) != 1), 1)
    if any(len(table) not in (1, count) for table in tables.values()):
        rows = ", ".join(f"{name} {len(table)}" for name, table in tables.items())
        raise DataError(f"rows do not agree ({rows}); give one for all particles, or one for each")
    return {n: np.broadcast_to(table, (count, *table.shape[1:])) for n, table in tables.items()}


def _lengths(vectors: Array, what: str) -> Array:
    """Length of each vector, which is not 0.  (N,)"""
    size = np.linalg.norm(vectors, axis=1)
    _require(np.isfinite(size) & (size > 0), f"its {what} has no length")
    return size


def _require(good: NDArray[np.bool_], complaint: str) -> None:
    if not good.all():
        raise DataError(f"particle in row {int(np.argmin(good))}: {complaint}")


def _zero_degrees(particles: Kinematics) -> Array:
    mass = particles.mass_gev
    columns = (
        particles.kinetic_gev + mass,
        *particles.place_cm.T,
        *particles.momentum_gev.T,
        mass * MEV_PER_GEV,
        particles.charge,
    )
    return np.column_stack(columns)


def _directions_to_the_face(particles: Kinematics) -> Array:
    """Unit vectors; DataError for a particle that does not fly towards the face.  (3, N)"""
    along_z = particles.direction[:, 2]
    _require(along_z > 0, "it does not fly towards the face; give pz or uz above 0")
    return particles.direction.T


def _at_the_face(particles: Kinematics) -> Array:
    """The authors' angles: theta = arccos(py / p), phi = arctan(-px / pz)."""
    ux, uy, uz = _directions_to_the_face(particles)
    angles = np.arccos(np.clip(uy, -1, 1)), np.arctan(-ux / uz)
    return np.column_stack([particles.kinetic_gev, *angles, *(10 * particles.place_cm.T[:2])])


def _at_the_face_polar(particles: Kinematics) -> Array:
    """Angle to the z axis, and around it."""
    ux, uy, uz = _directions_to_the_face(particles)
    angles = np.arccos(np.clip(uz, -1, 1)), np.arctan2(uy, ux)
    return np.column_stack([particles.kinetic_gev, *angles, *(10 * particles.place_cm.T[:2])])


BUILDERS: Mapping[tuple[str, ...], Callable[[Kinematics], Array]] = {
    ("Energy", "Vx", "Vy", "Vz", "Px", "Py", "Pz", "mass", "charge"): _zero_degrees,
    ("E", "theta", "phi", "x0", "y0"): _at_the_face,
    ("E", "polar", "azimuth", "x0", "y0"): _at_the_face_polar,
}
"""By the columns of a detector."""


def builder_of(detector: Detector) -> Callable[[Kinematics], Array]:
    """What makes conditions of kinematics; UsageError where the conditions are something else."""
    if detector.columns not in BUILDERS:
        names = ", ".join(detector.columns)
        raise UsageError(
            f"the conditions of {detector.name} ({names}) do not follow from PDG number, energy "
            "and direction; give a column for each"
        )
    return BUILDERS[detector.columns]


def types_of(detector: Detector, conditions: Array) -> NDArray[np.int32] | None:
    """PDG numbers by mass (within 0.5 %) and charge; None where conditions tell neither.  (N,)

    Raises:
        DataError: no known particle has a row's mass and charge.
    """
    if not {"mass", "charge"} <= set(detector.columns):
        return None
    mass, charge = (conditions[:, detector.column(name)] for name in ("mass", "charge"))
    pdg = np.zeros(len(conditions), np.int32)
    for species in SPECIES.values():
        near = np.abs(mass - species.mass_mev) <= max(0.005 * species.mass_mev, 1e-3)
        pdg[(charge == species.charge) & near & (pdg == 0)] = species.pdg
    if not pdg.all():
        row = int(np.argmin(pdg != 0))
        raise DataError(f"row {row}: no particle of {mass[row]} MeV and charge {charge[row]}")
    return pdg


def law_of_name(name: str, detector: Detector) -> Law:
    """How a named spectrum is drawn; UsageError with the names that the detector has."""
    spectra = facts_of(detector).spectra
    if name not in spectra:
        names = ", ".join(sorted(spectra)) or "none"
        raise UsageError(f"{detector.name} has no spectrum {name}; it has {names}")
    return spectra[name]
