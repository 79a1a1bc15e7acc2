"""What physics says of the numbers of particles: their columns, and the unit of their energies.

A table without names that is reversed, scaled or shifted by a column is full of finite numbers all
the same. Particles are on their mass shell, none is lighter than a muon but electrons and what has
no mass, and charges are whole. Authors may have rounded; a few odd rows are let pass.
Shapes: N rows, C conditions.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from caloforge.data.energy import EnergySums
from caloforge.data.record import Showers
from caloforge.detector import Detector
from caloforge.detectors.species import MEV_PER_GEV, SPECIES

MOST_ODD = 0.01
"""Part of the rows that may contradict."""
ROUNDING = 0.01
"""How far a charge may be from a whole number, and an energy from its shell (relative or GeV)."""
ELECTRON_MEV, MUON_MEV, LEAST_MEV = SPECIES[11].mass_mev, SPECIES[13].mass_mev, 0.1
"""Masses between the least and its negative are those of photons, rounded."""
MOST_CHARGE = 120
BEAM_GEV = 10_000.0
"""No nucleon, electron or photon has more in a collider so far; protons of the LHC have 7000."""
NUCLEON_MEV = 931.5
LEAST_PHOTONS_PER_GEV = 0.01
"""Counts over incident energy; 0.41 in both calorimeters of ALICE, MeV would make it 0.0004."""
DISTINCT = 1e-4
"""Part of its energy by which a particle's two mass shells must differ to tell them apart."""

Columns = dict[str, NDArray[np.float64]]


def kinematic_flaw(detector: Detector, conditions: NDArray[np.float64]) -> str:
    """Why rows can be no particles, naming the first; nothing where at most a few cannot.  (N, C)

    Looks at the columns that the detector has: masses, charges, and energy with momentum and mass.
    """
    columns = dict(zip(detector.columns, conditions.T, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        for what, wrong in _contradictions(columns):
            rows = np.flatnonzero(wrong)
            if len(rows) > MOST_ODD * len(wrong):
                names = ", ".join(f"{each.name} ({each.unit})" for each in detector.conditions)
                return (
                    f"row {rows[0]}: {what(rows[0])}, and so in {len(rows)} of {len(wrong)} rows; "
                    f"are columns reversed, shifted or scaled? They should be {names}"
                )
    return ""


def _contradictions(
    columns: Columns,
) -> Iterator[tuple[Callable[[int], str], NDArray[np.bool_]]]:
    """What would be wrong with a row, in words, and with which rows it is."""
    if (mass := columns.get("mass")) is not None:
        light = (mass > LEAST_MEV) & (mass < MUON_MEV * (1 - ROUNDING))
        wrong = (mass < -LEAST_MEV) | (light & (np.abs(mass - ELECTRON_MEV) > ROUNDING))
        yield lambda row: f"no particle has a mass of {mass[row]:g} MeV", wrong
    if (charge := columns.get("charge")) is not None:
        odd = (np.abs(charge - np.rint(charge)) > ROUNDING) | (np.abs(charge) > MOST_CHARGE)
        yield lambda row: f"no particle has a charge of {charge[row]:g} e", odd
    if {"Energy", "Px", "Py", "Pz", "mass"} <= columns.keys():
        energy, shell = columns["Energy"], _energies(columns)
        near = np.abs(energy - shell) <= ROUNDING * (1 + shell)
        yield (
            lambda row: f"Energy is {energy[row]:g} GeV, mass and momentum make {shell[row]:g}",
            ~(near & (energy > 0) & np.isfinite(shell)),
        )


def _energies(columns: Columns, mev_per_unit: float = MEV_PER_GEV) -> NDArray[np.float64]:
    """sqrt(momentum² + mass²) where momenta are in a unit of so many MeV.  (N,)"""
    momentum = np.hypot(np.hypot(columns["Px"], columns["Py"]), columns["Pz"])
    return np.hypot(momentum, columns["mass"] / mev_per_unit)


class UnitCheck:
    """Whether energies that should be in GeV look as if they were in MeV; rows are added in turn.

    Three signs, each of which is enough: E^2 = p^2 + m^2 holds in MeV only; a nucleon has more
    energy than any beam; far fewer photons are counted per GeV than fibres give.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        names = (c.name for c in detector.conditions if c.unit == "GeV")
        self._energy = next((name for name in names if name in ("Energy", "E")), detector.energy)
        self.rows = self._distinct = self._in_mev = self._beyond = 0
        self._photons = self._gev = 0.0

    def add(self, showers: Showers) -> None:
        """Count showers in."""
        if self._energy is None:
            return
        columns = dict(zip(self._detector.columns, showers.conditions.T, strict=True))
        energy = columns[self._energy]
        self.rows += len(showers)
        nucleons = np.maximum(columns.get("mass", np.zeros(1)) / NUCLEON_MEV, 1.0)
        self._beyond += int((energy > BEAM_GEV * nucleons).sum())
        if self._detector.counts:
            self._photons += float(showers.total().sum())
            self._gev += float(energy.sum())
        if {"Energy", "Px", "Py", "Pz", "mass"} <= columns.keys():
            in_gev, in_mev = _energies(columns), _energies(columns, 1.0)
            distinct = np.abs(in_mev - in_gev) > DISTINCT * energy
            nearer = np.abs(energy - in_mev) < 0.1 * np.abs(energy - in_gev)
            self._distinct += int(distinct.sum())
            self._in_mev += int((distinct & nearer).sum())

    def warnings(self) -> list[str]:
        """The strongest sign, with the option that mends it; nothing where there is none."""
        if not self.rows:
            return []
        if self._in_mev > 0.5 * self._distinct:
            sign = f"E^2 = p^2 + m^2 holds in MeV, not in GeV, in {self._in_mev} rows"
        elif self._beyond > MOST_ODD * self.rows:
            sign = f"{self._beyond} of {self.rows} particles have more than {BEAM_GEV:g} GeV"
        elif 0 < self._photons < LEAST_PHOTONS_PER_GEV * self._gev:
            sign = f"cells hold {self._photons / self._gev:.3g} {self._detector.unit} per GeV"
        else:
            return []
        return [f"{sign}: is MeV taken for GeV? `data convert --energy-unit MeV` reads it as MeV"]


class PhysicsCheck:
    """Units and energy balance of many showers; what contradicts physics is said once."""

    def __init__(self, detector: Detector) -> None:
        self._units, self._flaw = UnitCheck(detector), ""
        self.energy_sums = EnergySums(detector) if detector.energy else None

    def add(self, showers: Showers) -> None:
        """Count showers in."""
        self._units.add(showers)
        self._flaw = self._flaw or kinematic_flaw(showers.detector, showers.conditions)
        if self.energy_sums:
            self.energy_sums.add(showers)

    def warnings(self) -> list[str]:
        """Why these energies cannot be right."""
        balance = (
            self.energy_sums.balance().warnings() if self.energy_sums and self._units.rows else []
        )
        return balance or self._units.warnings() or ([self._flaw] if self._flaw else [])


def doubts(showers: Showers) -> list[str]:
    """Why the energies of these showers cannot be right."""
    check = PhysicsCheck(showers.detector)
    check.add(showers)
    return check.warnings()
